"""Audit in SQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update

from plushify_adapters.sql._generations import to_generation
from plushify_adapters.sql._model_calls import to_model_call
from plushify_adapters.sql._statements import Repository
from plushify_adapters.sql._tables import GENERATIONS, LEDGER_ENTRIES, MODEL_CALLS, SUBSCRIPTIONS
from plushify_core import ports
from plushify_core.domain.generation import Generation
from plushify_core.domain.model_call import ModelCall, Outcome
from plushify_core.ports import Imbalance


class SqlAudit(Repository, ports.Audit):
    """Reader of the data of all users. Each page is one statement, so its rows are consistent with each other."""

    async def imbalances(self, *, after: str | None, limit: int) -> Sequence[Imbalance]:
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
        rows = await self.connection.execute(query)
        return [Imbalance(user_id=row.user_id, balance=row.balance, entries=int(row.entries)) for row in rows]

    async def recount(self, user_id: str) -> None:
        # A statement of its own takes the lock. If the update waited for it, the update would sum the entries of its
        # snapshot, which is older than the wait.
        of_user = SUBSCRIPTIONS.c.user_id == user_id
        await self.connection.execute(select(SUBSCRIPTIONS.c.balance).where(of_user).with_for_update())
        total = select(func.coalesce(func.sum(LEDGER_ENTRIES.c.amount), 0)).where(LEDGER_ENTRIES.c.user_id == user_id)
        await self.connection.execute(update(SUBSCRIPTIONS).where(of_user).values(balance=total.scalar_subquery()))

    async def scan(self, *, after: UUID | None, limit: int) -> Sequence[Generation]:
        query = select(GENERATIONS).order_by(GENERATIONS.c.id).limit(limit)
        if after is not None:
            query = query.where(GENERATIONS.c.id > after)
        return [to_generation(row) for row in await self.connection.execute(query)]

    async def find(self, generation_ids: Sequence[UUID]) -> Sequence[Generation]:
        query = select(GENERATIONS).where(GENERATIONS.c.id.in_(generation_ids))
        return [to_generation(row) for row in await self.connection.execute(query)]

    async def newest(self) -> UUID | None:
        # PostgreSQL has no max() of a UUID before version 18.
        query = select(GENERATIONS.c.id).order_by(GENERATIONS.c.id.desc()).limit(1)
        return (await self.connection.execute(query)).scalar_one_or_none()

    async def entry_sums(self, generation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        generation_id = LEDGER_ENTRIES.c.generation_id
        query = select(generation_id, func.sum(LEDGER_ENTRIES.c.amount)).where(generation_id.in_(generation_ids))
        rows = await self.connection.execute(query.group_by(generation_id))
        return {found: int(total) for found, total in rows}

    async def open_calls(self, started_before: datetime, *, after: UUID | None, limit: int) -> Sequence[ModelCall]:
        columns = MODEL_CALLS.c
        query = (
            select(MODEL_CALLS)
            .where(columns.outcome == Outcome.CALLING, columns.started_at < started_before)
            .order_by(columns.generation_id)
            .limit(limit)
        )
        if after is not None:
            query = query.where(columns.generation_id > after)
        return [to_model_call(row) for row in await self.connection.execute(query)]
