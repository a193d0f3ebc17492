"""The record of paid calls, in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping, bindparam, func, select, update

from plushify_adapters.sql.columns import UtcDay
from plushify_adapters.sql.statements import Repository, insert_or_nothing
from plushify_adapters.sql.tables import LEDGER_ENTRIES, MODEL_CALLS
from plushify_core import ports
from plushify_core.domain.model_call import ModelCall, ModelFacts
from plushify_core.ports import CostLine

_OF_GENERATION = MODEL_CALLS.c.generation_id == bindparam("of")
_GET = select(MODEL_CALLS).where(_OF_GENERATION)
_REPLACE = update(MODEL_CALLS).where(_OF_GENERATION)


class SqlModelCalls(Repository, ports.ModelCalls):
    """One call per generation, and what all of them cost."""

    async def add(self, call: ModelCall) -> bool:
        """Add a call, unless its generation has one."""
        return await insert_or_nothing(self._connection, MODEL_CALLS, _values(call), "generation_id")

    async def get(self, generation_id: UUID) -> ModelCall | None:
        """The call of this generation."""
        row = (await self._connection.execute(_GET, {"of": generation_id})).one_or_none()
        return None if row is None else call_from(row._mapping)

    async def replace(self, call: ModelCall) -> None:
        """Put the call in place of the recorded one."""
        await self._connection.execute(_REPLACE, _values(call) | {"of": call.generation_id})

    async def cost_since(self, since: datetime) -> int:
        """The known cost since then, in nano-dollars."""
        cost = func.coalesce(func.sum(MODEL_CALLS.c.cost_nano_usd), 0)
        query = select(cost).where(MODEL_CALLS.c.started_at >= since)
        return int((await self._connection.execute(query)).scalar_one())  # PostgreSQL sums to a decimal

    async def costs(self, since: datetime, until: datetime) -> Sequence[CostLine]:
        """The calls of a time, added up by day, style, model and outcome."""
        columns = MODEL_CALLS.c
        entries = select(func.coalesce(func.sum(LEDGER_ENTRIES.c.amount), 0))
        calls = (
            select(
                UtcDay(columns.started_at).label("day"),
                columns.style,
                func.coalesce(columns.model, columns.model_asked).label("model"),
                columns.outcome,
                columns.cost_nano_usd,
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
            )
            for row in await self._connection.execute(query)
        ]
        return sorted(lines, key=lambda line: (line.day, line.style, line.model, line.outcome))


def _values(call: ModelCall) -> dict[str, Any]:
    values = msgspec.structs.asdict(call)
    return values | msgspec.structs.asdict(values.pop("facts"))


def call_from(row: RowMapping) -> ModelCall:
    """The call in a row of its table."""
    values: dict[str, Any] = {**row}
    facts = ModelFacts(**{name: values.pop(name) for name in ModelFacts.__struct_fields__})
    return ModelCall(**values, facts=facts)
