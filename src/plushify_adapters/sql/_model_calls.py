"""Model calls in SQL."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, case, func, or_, select, text, update

from plushify_adapters.sql._columns import UtcDay
from plushify_adapters.sql._statements import Repository, insert_or_nothing
from plushify_adapters.sql._tables import LEDGER_ENTRIES, MODEL_CALLS
from plushify_core import ports
from plushify_core.domain.model_call import Billing, ModelCall, ModelFacts, Outcome
from plushify_core.ports import CostLine

_OF_GENERATION = MODEL_CALLS.c.generation_id == bindparam("of")
_GET = select(MODEL_CALLS).where(_OF_GENERATION)
# SQLite ignores FOR UPDATE, and does not need it: it runs one writing transaction at a time.
_GET_AND_LOCK = _GET.with_for_update()
_REPLACE = update(MODEL_CALLS).where(_OF_GENERATION)
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")

SPENDING_LOCK = 0x7370656E64696E67
"""Key of the PostgreSQL advisory lock for which dispatches under a daily spending limit wait: "spending" in ASCII."""


class SqlModelCalls(Repository, ports.ModelCalls):
    """Records of paid calls."""

    async def add(self, call: ModelCall) -> bool:
        return await insert_or_nothing(self.connection, MODEL_CALLS, _values(call), "generation_id")

    async def get(self, generation_id: UUID) -> ModelCall | None:
        return await self._one(_GET, generation_id)

    async def update(self, generation_id: UUID, change: Callable[[ModelCall], ModelCall]) -> bool:
        """Replace the call of this generation by `change(call)`.

        In READ COMMITTED, a SELECT FOR UPDATE that has waited for the lock returns the row that the other transaction
        left.
        """
        call = await self._one(_GET_AND_LOCK, generation_id)
        if call is None:
            return False
        await self.connection.execute(_REPLACE, _values(change(call)) | {"of": generation_id})
        return True

    async def lock_spending(self) -> None:
        """Take an advisory lock on PostgreSQL until the transaction ends. On SQLite, it already holds the only lock.

        The next statement sees the calls of the transaction that held the lock before, because PostgreSQL releases the
        locks of a transaction after its changes have become visible, and READ COMMITTED takes a snapshot per statement.
        """
        if self.connection.dialect.name == "postgresql":
            await self.connection.execute(_LOCK, {"key": SPENDING_LOCK})

    async def cost_since(self, since: datetime, *, default_nano_usd: int = 0) -> int:
        cost = func.coalesce(func.sum(_counted_cost(default_nano_usd)), 0)
        query = select(cost).where(MODEL_CALLS.c.started_at >= since)
        return int((await self.connection.execute(query)).scalar_one())  # the sum is a decimal on PostgreSQL

    async def average_cost(self, model: str, quality: str, since: datetime, *, calls: int) -> int | None:
        columns = MODEL_CALLS.c
        query = (
            select(columns.cost_nano_usd)
            .where(
                columns.started_at >= since,
                columns.model_asked == model,
                columns.quality == quality,
                columns.cost_nano_usd.is_not(None),
            )
            .order_by(columns.started_at.desc())
            .limit(calls)
        )
        costs = (await self.connection.execute(query)).scalars().all()
        return math.ceil(Fraction(sum(costs), len(costs))) if costs else None

    async def count_costly_failures(self, user_id: str, since: datetime) -> int:
        columns = MODEL_CALLS.c
        may_cost = and_(columns.billing == Billing.UNKNOWN, func.coalesce(columns.expected_cost_nano_usd, 1) != 0)
        query = select(func.count()).where(
            columns.user_id == user_id,
            columns.started_at >= since,
            columns.outcome.in_([Outcome.FAILED, Outcome.INTERRUPTED]),
            or_(columns.billing == Billing.BILLED, may_cost),
        )
        return (await self.connection.execute(query)).scalar_one()

    async def costs(self, since: datetime, until: datetime) -> Sequence[CostLine]:
        columns = MODEL_CALLS.c
        entries = select(func.coalesce(func.sum(LEDGER_ENTRIES.c.amount), 0))
        calls = (
            select(
                UtcDay(columns.started_at).label("day"),
                columns.style,
                func.coalesce(columns.model, columns.model_asked).label("model"),
                columns.outcome,
                columns.cost_nano_usd,
                case((columns.cost_nano_usd.is_(None), _counted_cost(0)), else_=0).label("expected"),
                (-entries.where(LEDGER_ENTRIES.c.generation_id == columns.generation_id).scalar_subquery()).label(
                    "earned"
                ),
            )
            .where(columns.started_at >= since, columns.started_at < until)
            .subquery()
        ).c
        group = (calls.day, calls.style, calls.model, calls.outcome)
        query = select(
            *group,
            func.count().label("calls"),
            func.sum(calls.earned).label("earned"),
            func.coalesce(func.sum(calls.cost_nano_usd), 0).label("cost"),
            func.count(calls.cost_nano_usd).label("priced"),
            func.sum(calls.expected).label("expected"),
        ).group_by(*group)
        lines = [
            CostLine(
                day=row.day,
                style=row.style,
                model=row.model,
                outcome=row.outcome,
                calls=row.calls,
                credits_earned=int(row.earned),
                cost_nano_usd=int(row.cost),
                unpriced_calls=row.calls - row.priced,
                unpriced_expected_nano_usd=int(row.expected),
            )
            for row in await self.connection.execute(query)
        ]
        return sorted(lines, key=lambda line: (line.day, line.style, line.model, line.outcome))

    async def _one(self, query: Select[*tuple[Any, ...]], generation_id: UUID) -> ModelCall | None:
        row = (await self.connection.execute(query, {"of": generation_id})).one_or_none()
        return None if row is None else to_model_call(row)


def _counted_cost(default_nano_usd: int) -> ColumnElement[int]:
    """Return the SQL of `ModelCall.counted_cost_nano_usd`."""
    columns = MODEL_CALLS.c
    expected = func.coalesce(columns.expected_cost_nano_usd, default_nano_usd)
    return func.coalesce(columns.cost_nano_usd, case((columns.billing == Billing.NOT_BILLED, 0), else_=expected))


def _values(call: ModelCall) -> dict[str, Any]:
    values = msgspec.structs.asdict(call)
    return values | msgspec.structs.asdict(values.pop("facts"))


def to_model_call(row: Row[*tuple[Any, ...]]) -> ModelCall:
    """Return the call of a row of `MODEL_CALLS`."""
    values: dict[str, Any] = {**row._mapping}
    facts = ModelFacts(**{name: values.pop(name) for name in ModelFacts.__struct_fields__})
    return ModelCall(**values, facts=facts)
