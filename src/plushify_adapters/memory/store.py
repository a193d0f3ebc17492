"""A store in dictionaries, whose transactions really roll back."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from plushify_core import ports
from plushify_core.errors import InsufficientCredits
from plushify_core.generation import Generation
from plushify_core.ledger import EntryKind, LedgerEntry, Subscription
from plushify_core.model_call import ModelCall, Outcome
from plushify_core.ports import CostLine, GalleryFilter, Imbalance, Sort, Store
from plushify_core.users import Session, User


@dataclass
class _Tables:
    """All that is stored, with the unique keys as indexes. The values are immutable, so a copy is shallow."""

    generations: dict[UUID, Generation] = field(default_factory=dict)
    idempotency_keys: dict[tuple[str, str], UUID] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    entries: dict[UUID, LedgerEntry] = field(default_factory=dict)
    entry_kinds: dict[tuple[UUID, EntryKind], UUID] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    model_calls: dict[UUID, ModelCall] = field(default_factory=dict)

    def copy(self) -> "_Tables":
        return _Tables(**{table.name: dict(getattr(self, table.name)) for table in fields(self)})


class MemoryStore(Store):
    """Runs one transaction after the other, each on a copy that takes the place of the whole when it commits."""

    def __init__(self) -> None:
        self._tables = _Tables()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[ports.Transaction]:
        async with self._turn:
            tables = self._tables.copy()
            yield _Transaction(tables)
            self._tables = tables


class _Transaction(ports.Transaction):
    def __init__(self, tables: _Tables) -> None:
        self._generations = _Generations(tables)
        self._credits = _Credits(tables)
        self._users = _Users(tables)
        self._model_calls = _ModelCalls(tables)
        self._audit = _Audit(tables)

    @property
    def generations(self) -> ports.Generations:
        return self._generations

    @property
    def credits(self) -> ports.Credits:
        return self._credits

    @property
    def users(self) -> ports.Users:
        return self._users

    @property
    def model_calls(self) -> ports.ModelCalls:
        return self._model_calls

    @property
    def audit(self) -> ports.Audit:
        return self._audit


class _Repository:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables


class _Generations(_Repository, ports.Generations):
    async def add(self, generation: Generation) -> bool:
        if generation.idempotency_key is not None:
            key = (generation.user_id, generation.idempotency_key)
            if key in self._tables.idempotency_keys:
                return False
            self._tables.idempotency_keys[key] = generation.id
        self._tables.generations[generation.id] = generation
        return True

    async def get(self, generation_id: UUID) -> Generation | None:
        return self._tables.generations.get(generation_id)

    async def by_idempotency_key(self, user_id: str, key: str) -> Generation | None:
        generation_id = self._tables.idempotency_keys.get((user_id, key))
        return None if generation_id is None else self._tables.generations[generation_id]

    async def replace(self, current: Generation, changed: Generation) -> bool:
        if not self._stands(current):
            return False
        self._tables.generations[current.id] = changed
        return True

    async def remove(self, current: Generation) -> bool:
        if not self._stands(current):
            return False
        del self._tables.generations[current.id]
        if current.idempotency_key is not None:
            del self._tables.idempotency_keys[current.user_id, current.idempotency_key]
        return True

    async def page(
        self, user_id: str, filter: GalleryFilter, *, after: UUID | None, limit: int
    ) -> Sequence[Generation]:
        newest = filter.sort is Sort.NEWEST
        ordered = sorted(self._matching(user_id, filter), key=lambda found: found.id, reverse=newest)
        return _page(ordered, after, limit, descending=newest)

    async def count(self, user_id: str, filter: GalleryFilter) -> int:
        return len(self._matching(user_id, filter))

    async def count_unfinished(self, user_id: str) -> int:
        return sum(found.user_id == user_id and not found.finished for found in self._tables.generations.values())

    async def abandoned(self, now: datetime, *, limit: int) -> Sequence[Generation]:
        overdue = [
            found
            for found in self._tables.generations.values()
            if found.lease_until is not None and found.lease_until <= now
        ]
        return overdue[:limit]

    async def expired_trash(self, deleted_before: datetime, *, limit: int) -> Sequence[Generation]:
        expired = [
            (found.deleted_at, found.id, found)
            for found in self._tables.generations.values()
            if found.deleted_at is not None and found.deleted_at <= deleted_before
        ]
        return [found for _, _, found in sorted(expired, key=lambda row: row[:2])[:limit]]

    def _stands(self, current: Generation) -> bool:
        stored = self._tables.generations.get(current.id)
        return stored is not None and (stored.status, stored.fence) == (current.status, current.fence)

    def _matching(self, user_id: str, filter: GalleryFilter) -> list[Generation]:
        return [
            found
            for found in self._tables.generations.values()
            if found.user_id == user_id
            and found.deleted_at is None
            and filter.style in (None, found.style)
            and filter.quality in (None, found.quality)
        ]


class _Credits(_Repository, ports.Credits):
    async def open(self, subscription: Subscription) -> bool:
        if subscription.user_id in self._tables.subscriptions:
            return False
        self._tables.subscriptions[subscription.user_id] = subscription
        return True

    async def subscription(self, user_id: str) -> Subscription | None:
        return self._tables.subscriptions.get(user_id)

    async def post(self, entry: LedgerEntry) -> bool:
        if entry.generation_id is not None:
            key = (entry.generation_id, entry.kind)
            if self._tables.entry_kinds.setdefault(key, entry.id) != entry.id:
                return False
        subscription = self._tables.subscriptions.get(entry.user_id)
        if subscription is None:
            raise InsufficientCredits(balance=0)
        if subscription.balance + entry.amount < 0:
            raise InsufficientCredits(balance=subscription.balance)
        self._tables.entries[entry.id] = entry
        self._tables.subscriptions[entry.user_id] = msgspec.structs.replace(
            subscription, balance=subscription.balance + entry.amount
        )
        return True

    async def entries(self, user_id: str, *, after: UUID | None, limit: int) -> Sequence[LedgerEntry]:
        mine = [entry for entry in self._tables.entries.values() if entry.user_id == user_id]
        ordered = sorted(mine, key=lambda entry: entry.id, reverse=True)
        return _page(ordered, after, limit, descending=True)

    async def entries_of(self, generation_id: UUID) -> Sequence[LedgerEntry]:
        theirs = [entry for entry in self._tables.entries.values() if entry.generation_id == generation_id]
        return sorted(theirs, key=lambda entry: entry.id)


class _Users(_Repository, ports.Users):
    async def add(self, user: User) -> bool:
        if user.email in self._tables.emails:
            return False
        self._tables.emails[user.email] = user.id
        self._tables.users[user.id] = user
        return True

    async def get(self, user_id: str) -> User | None:
        return self._tables.users.get(user_id)

    async def by_email(self, email: str) -> User | None:
        user_id = self._tables.emails.get(email)
        return None if user_id is None else self._tables.users[user_id]

    async def add_session(self, session: Session) -> None:
        self._tables.sessions[session.token_hash] = session

    async def session(self, token_hash: str) -> Session | None:
        return self._tables.sessions.get(token_hash)

    async def remove_session(self, token_hash: str) -> None:
        self._tables.sessions.pop(token_hash, None)

    async def remove_expired_sessions(self, now: datetime) -> int:
        over = [token for token, session in self._tables.sessions.items() if session.expires_at <= now]
        for token in over:
            del self._tables.sessions[token]
        return len(over)


class _ModelCalls(_Repository, ports.ModelCalls):
    async def add(self, call: ModelCall) -> bool:
        if call.generation_id in self._tables.model_calls:
            return False
        self._tables.model_calls[call.generation_id] = call
        return True

    async def get(self, generation_id: UUID) -> ModelCall | None:
        return self._tables.model_calls.get(generation_id)

    async def replace(self, call: ModelCall) -> None:
        self._tables.model_calls[call.generation_id] = call

    async def cost_since(self, since: datetime) -> int:
        recent = (call for call in self._tables.model_calls.values() if call.started_at >= since)
        return sum(call.facts.cost_nano_usd or 0 for call in recent)

    async def costs(self, since: datetime, until: datetime) -> Sequence[CostLine]:
        earned = Counter[UUID]()
        for entry in self._tables.entries.values():
            if entry.generation_id is not None:
                earned[entry.generation_id] -= entry.amount
        groups = defaultdict[tuple[date, str, str, Outcome], list[ModelCall]](list)
        for call in self._tables.model_calls.values():
            if since <= call.started_at < until:
                day = call.started_at.astimezone(UTC).date()
                groups[day, call.style, call.facts.model or call.model_asked, call.outcome].append(call)
        return [
            CostLine(
                day=day,
                style=style,
                model=model,
                outcome=outcome,
                calls=len(calls),
                credits_earned=sum(earned[call.generation_id] for call in calls),
                cost_nano_usd=sum(call.facts.cost_nano_usd or 0 for call in calls),
                unpriced_calls=sum(call.facts.cost_nano_usd is None for call in calls),
            )
            for (day, style, model, outcome), calls in sorted(groups.items())
        ]


class _Audit(_Repository, ports.Audit):
    async def imbalances(self, *, after: str | None, limit: int) -> Sequence[Imbalance]:
        sums = Counter[str]()
        for entry in self._tables.entries.values():
            sums[entry.user_id] += entry.amount
        return [
            Imbalance(user_id=user_id, balance=subscription.balance, entries=sums[user_id])
            for user_id, subscription in sorted(self._tables.subscriptions.items())
            if (after is None or user_id > after) and subscription.balance != sums[user_id]
        ][:limit]

    async def recount(self, user_id: str) -> None:
        total = sum(entry.amount for entry in self._tables.entries.values() if entry.user_id == user_id)
        subscription = self._tables.subscriptions[user_id]
        self._tables.subscriptions[user_id] = msgspec.structs.replace(subscription, balance=total)

    async def scan(self, *, after: UUID | None, limit: int) -> Sequence[Generation]:
        ordered = sorted(self._tables.generations.values(), key=lambda found: found.id)
        return _page(ordered, after, limit, descending=False)

    async def find(self, generation_ids: Sequence[UUID]) -> Sequence[Generation]:
        found = map(self._tables.generations.get, generation_ids)
        return [generation for generation in found if generation is not None]

    async def entry_sums(self, generation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        asked = set(generation_ids)
        sums = Counter[UUID]()
        for entry in self._tables.entries.values():
            if entry.generation_id in asked:
                sums[entry.generation_id] += entry.amount
        return sums

    async def open_calls(self, started_before: datetime, *, after: UUID | None, limit: int) -> Sequence[ModelCall]:
        return [
            call
            for generation_id, call in sorted(self._tables.model_calls.items())
            if call.outcome is Outcome.CALLING
            and call.started_at < started_before
            and (after is None or generation_id > after)
        ][:limit]


Row = TypeVar("Row", Generation, LedgerEntry)


def _page(ordered: Iterable[Row], after: UUID | None, limit: int, *, descending: bool) -> list[Row]:
    def behind(row: Row) -> bool:
        if after is None:
            return True
        return row.id < after if descending else row.id > after

    return [row for row in ordered if behind(row)][:limit]
