"""Subscriptions and the ledger, in SQL."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import select, update

from plushify_adapters.sql.statements import Repository
from plushify_adapters.sql.tables import LEDGER_ENTRIES, SUBSCRIPTIONS
from plushify_core import ports
from plushify_core.errors import InsufficientCredits
from plushify_core.ledger import LedgerEntry, Subscription


class SqlCredits(Repository, ports.Credits):
    """Balances, and the entries they are the sum of."""

    async def open(self, subscription: Subscription) -> bool:
        """Add a user's subscription, unless there is one."""
        return await self._insert_or_nothing(SUBSCRIPTIONS, msgspec.structs.asdict(subscription), "user_id")

    async def subscription(self, user_id: str) -> Subscription | None:
        """The user's subscription."""
        query = select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.user_id == user_id)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else Subscription(**row._mapping)

    async def post(self, entry: LedgerEntry) -> bool:
        """Add the entry, then move the balance if it covers the amount.

        The condition and the movement are one statement, so READ COMMITTED is enough: the update waits for the
        lock of the row and then looks at the balance that the other transaction left. The lock stays until the
        transaction ends; it is the last that any transaction waits for (`store` tells the whole order).
        """
        values = msgspec.structs.asdict(entry)
        if not await self._insert_or_nothing(LEDGER_ENTRIES, values, "generation_id", "kind"):
            return False
        balance = SUBSCRIPTIONS.c.balance
        moved = await self._changes_one(
            update(SUBSCRIPTIONS)
            .where(SUBSCRIPTIONS.c.user_id == entry.user_id, balance + entry.amount >= 0)
            .values(balance=balance + entry.amount)
        )
        if not moved:
            subscription = await self.subscription(entry.user_id)
            raise InsufficientCredits(balance=subscription.balance if subscription else 0)
        return True

    async def entries(self, user_id: str, *, after: UUID | None, limit: int) -> Sequence[LedgerEntry]:
        """One page of the statement, newest first, by keyset."""
        columns = LEDGER_ENTRIES.c
        query = select(LEDGER_ENTRIES).where(columns.user_id == user_id).order_by(columns.id.desc()).limit(limit)
        if after is not None:
            query = query.where(columns.id < after)
        return [LedgerEntry(**row._mapping) for row in await self._connection.execute(query)]

    async def entries_of(self, generation_id: UUID) -> Sequence[LedgerEntry]:
        """The entries of a generation, oldest first."""
        columns = LEDGER_ENTRIES.c
        query = select(LEDGER_ENTRIES).where(columns.generation_id == generation_id).order_by(columns.id)
        return [LedgerEntry(**row._mapping) for row in await self._connection.execute(query)]
