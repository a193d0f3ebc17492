"""Subscriptions and ledger entries in SQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import bindparam, select, update

from plushify_adapters.sql._statements import Repository, changes_one, insert_or_nothing
from plushify_adapters.sql._tables import HAS_IDEMPOTENCY_KEY, LEDGER_ENTRIES, SUBSCRIPTIONS
from plushify_core import ports
from plushify_core.domain.errors import InsufficientCredits
from plushify_core.domain.ledger import LedgerEntry, Subscription

_SUBSCRIPTION = select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.user_id == bindparam("user"))
_BY_KEY = select(LEDGER_ENTRIES).where(
    LEDGER_ENTRIES.c.user_id == bindparam("user"), LEDGER_ENTRIES.c.idempotency_key == bindparam("key")
)
_CHANGE_BALANCE = (
    update(SUBSCRIPTIONS)
    .where(SUBSCRIPTIONS.c.user_id == bindparam("user"), SUBSCRIPTIONS.c.balance + bindparam("amount") >= 0)
    .values(balance=SUBSCRIPTIONS.c.balance + bindparam("amount"))
)


class SqlCredits(Repository, ports.Credits):
    """Repository of subscriptions and ledger entries."""

    async def open(self, subscription: Subscription) -> bool:
        return await insert_or_nothing(self.connection, SUBSCRIPTIONS, msgspec.structs.asdict(subscription), "user_id")

    async def subscription(self, user_id: str) -> Subscription | None:
        row = (await self.connection.execute(_SUBSCRIPTION, {"user": user_id})).one_or_none()
        return None if row is None else Subscription(**row._mapping)

    async def post(self, entry: LedgerEntry) -> bool:
        """Add the entry and change the balance by its amount, atomically.

        One update checks the balance and changes it, so READ COMMITTED is enough: it waits for the lock of the row and
        then checks the balance that the other transaction left. The lock is held until the transaction ends. The
        docstring of the module `_store` gives the order of all locks.
        """
        if not await self._insert(entry):
            return False
        if not await changes_one(self.connection, _CHANGE_BALANCE, {"user": entry.user_id, "amount": entry.amount}):
            subscription = await self.subscription(entry.user_id)
            raise InsufficientCredits(balance=subscription.balance if subscription else 0)
        return True

    async def by_idempotency_key(self, user_id: str, key: str) -> LedgerEntry | None:
        row = (await self.connection.execute(_BY_KEY, {"user": user_id, "key": key})).one_or_none()
        return None if row is None else LedgerEntry(**row._mapping)

    async def entries(self, user_id: str, *, after: UUID | None, limit: int) -> Sequence[LedgerEntry]:
        columns = LEDGER_ENTRIES.c
        query = select(LEDGER_ENTRIES).where(columns.user_id == user_id).order_by(columns.id.desc()).limit(limit)
        if after is not None:
            query = query.where(columns.id < after)
        return [LedgerEntry(**row._mapping) for row in await self.connection.execute(query)]

    async def expiring(self, now: datetime, *, limit: int) -> Sequence[Subscription]:
        """Return the subscriptions whose next expiry is due, earliest first, and lock their rows."""
        due = SUBSCRIPTIONS.c.next_expiry_at
        query = select(SUBSCRIPTIONS).where(due <= now).order_by(due).limit(limit).with_for_update(skip_locked=True)
        return [Subscription(**row._mapping) for row in await self.connection.execute(query)]

    async def plan_expiry(self, user_id: str, at: datetime | None) -> None:
        of_user = SUBSCRIPTIONS.c.user_id == user_id
        await self.connection.execute(update(SUBSCRIPTIONS).where(of_user).values(next_expiry_at=at))

    async def entries_of(self, generation_id: UUID) -> Sequence[LedgerEntry]:
        columns = LEDGER_ENTRIES.c
        query = select(LEDGER_ENTRIES).where(columns.generation_id == generation_id).order_by(columns.id)
        return [LedgerEntry(**row._mapping) for row in await self.connection.execute(query)]

    async def _insert(self, entry: LedgerEntry) -> bool:
        """Insert the entry unless its unique key exists. Each kind of entry has at most one unique key."""
        values = msgspec.structs.asdict(entry)
        if entry.idempotency_key is not None:
            key = ("user_id", "idempotency_key")
            return await insert_or_nothing(self.connection, LEDGER_ENTRIES, values, *key, where=HAS_IDEMPOTENCY_KEY)
        unique = ("expires_grant",) if entry.expires_grant is not None else ("generation_id", "kind")
        return await insert_or_nothing(self.connection, LEDGER_ENTRIES, values, *unique)
