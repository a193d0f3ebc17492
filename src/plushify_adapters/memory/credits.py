"""Subscriptions and the ledger, in memory."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from plushify_adapters.memory.tables import Repository, page
from plushify_core import ports
from plushify_core.domain.errors import InsufficientCredits
from plushify_core.domain.ledger import LedgerEntry, Subscription


class MemoryCredits(Repository, ports.Credits):
    """Subscriptions and the ledger, in memory."""

    async def open(self, subscription: Subscription) -> bool:
        if subscription.user_id in self._tables.subscriptions:
            return False
        self._tables.subscriptions[subscription.user_id] = subscription
        return True

    async def subscription(self, user_id: str) -> Subscription | None:
        return self._tables.subscriptions.get(user_id)

    async def post(self, entry: LedgerEntry) -> bool:
        if not self._is_first(entry):
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
        return page(ordered, after, limit, descending=True)

    async def expiring(self, now: datetime, *, limit: int) -> Sequence[Subscription]:
        due = [
            subscription
            for subscription in self._tables.subscriptions.values()
            if subscription.next_expiry_at is not None and subscription.next_expiry_at <= now
        ]
        return due[:limit]

    async def plan_expiry(self, user_id: str, at: datetime | None) -> None:
        subscription = self._tables.subscriptions[user_id]
        self._tables.subscriptions[user_id] = msgspec.structs.replace(subscription, next_expiry_at=at)

    async def entries_of(self, generation_id: UUID) -> Sequence[LedgerEntry]:
        theirs = [entry for entry in self._tables.entries.values() if entry.generation_id == generation_id]
        return sorted(theirs, key=lambda entry: entry.id)

    def _is_first(self, entry: LedgerEntry) -> bool:
        """Whether the unique keys let it in: one entry of a kind per generation, one per expired grant."""
        taken: set[UUID] = set()
        if entry.generation_id is not None:
            taken.add(self._tables.entry_kinds.setdefault((entry.generation_id, entry.kind), entry.id))
        if entry.expires_grant is not None:
            taken.add(self._tables.expired_grants.setdefault(entry.expires_grant, entry.id))
        return taken <= {entry.id}
