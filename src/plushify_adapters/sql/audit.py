"""What an auditor reads, in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update

from plushify_adapters.sql.generations import generation_from
from plushify_adapters.sql.model_calls import call_from
from plushify_adapters.sql.statements import Repository
from plushify_adapters.sql.tables import GENERATIONS, LEDGER_ENTRIES, MODEL_CALLS, SUBSCRIPTIONS
from plushify_core import ports
from plushify_core.domain.generation import Generation
from plushify_core.domain.model_call import ModelCall, Outcome
from plushify_core.ports import Imbalance


class SqlAudit(Repository, ports.Audit):
    """Everybody's balances, generations and calls. Each page is one statement, so it is consistent in itself."""

    async def imbalances(self, *, after: str | None, limit: int) -> Sequence[Imbalance]:
        """One page of the users whose balance is not the sum of their entries."""
        user_id, balance = SUBSCRIPTIONS.c.user_id, SUBSCRIPTIONS.c.balance
        entries = func.coalesce(func.sum(LEDGER_ENTRIES.c.amount), 0)
        query = (
            select(user_id, balance, entries.label("entries"))
            .outerjoin_from(SUBSCRIPTIONS, LEDGER_ENTRIES)
            .group_by(user_id)
            .having(balance != entries)
            .order_by(user_id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(user_id > after)
        found = await self._connection.execute(query)
        return [Imbalance(user_id=row.user_id, balance=row.balance, entries=int(row.entries)) for row in found]

    async def recount(self, user_id: str) -> None:
        """Set the balance to the sum of the entries.

        Two statements: one that waited for the lock would sum the entries as they were before it waited.
        """
        mine = SUBSCRIPTIONS.c.user_id == user_id
        await self._connection.execute(select(SUBSCRIPTIONS.c.balance).where(mine).with_for_update())
        total = select(func.coalesce(func.sum(LEDGER_ENTRIES.c.amount), 0)).where(LEDGER_ENTRIES.c.user_id == user_id)
        await self._connection.execute(update(SUBSCRIPTIONS).where(mine).values(balance=total.scalar_subquery()))

    async def scan(self, *, after: UUID | None, limit: int) -> Sequence[Generation]:
        """One page of all generations."""
        query = select(GENERATIONS).order_by(GENERATIONS.c.id).limit(limit)
        if after is not None:
            query = query.where(GENERATIONS.c.id > after)
        return [generation_from(row) for row in await self._connection.execute(query)]

    async def find(self, generation_ids: Sequence[UUID]) -> Sequence[Generation]:
        """Those that exist."""
        query = select(GENERATIONS).where(GENERATIONS.c.id.in_(generation_ids))
        return [generation_from(row) for row in await self._connection.execute(query)]

    async def entry_sums(self, generation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """The sum of the entries of each."""
        generation_id = LEDGER_ENTRIES.c.generation_id
        query = select(generation_id, func.sum(LEDGER_ENTRIES.c.amount)).where(generation_id.in_(generation_ids))
        return {found: int(total) for found, total in await self._connection.execute(query.group_by(generation_id))}

    async def open_calls(self, started_before: datetime, *, after: UUID | None, limit: int) -> Sequence[ModelCall]:
        """One page of the calls without an outcome."""
        columns = MODEL_CALLS.c
        query = (
            select(MODEL_CALLS)
            .where(columns.outcome == Outcome.CALLING, columns.started_at < started_before)
            .order_by(columns.generation_id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(columns.generation_id > after)
        return [call_from(row._mapping) for row in await self._connection.execute(query)]
