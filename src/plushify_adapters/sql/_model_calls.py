"""Model calls in SQL."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row, Select, bindparam, func, select, update

from plushify_adapters.sql._columns import UtcDay
from plushify_adapters.sql._statements import Repository, insert_or_nothing
from plushify_adapters.sql._tables import LEDGER_ENTRIES, MODEL_CALLS
from plushify_core import ports
from plushify_core.domain.model_call import ModelCall, ModelFacts
from plushify_core.ports import CostLine

_OF_GENERATION = MODEL_CALLS.c.generation_id == bindparam("of")
_GET = select(MODEL_CALLS).where(_OF_GENERATION)
# SQLite ignores FOR UPDATE, and does not need it: it runs one writing transaction at a time.
_GET_AND_LOCK = _GET.with_for_update()
_REPLACE = update(MODEL_CALLS).where(_OF_GENERATION)


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

    async def cost_since(self, since: datetime) -> int:
        cost = func.coalesce(func.sum(MODEL_CALLS.c.cost_nano_usd), 0)
        query = select(cost).where(MODEL_CALLS.c.started_at >= since)
        return int((await self.connection.execute(query)).scalar_one())  # the sum is a decimal on PostgreSQL

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
            for row in await self.connection.execute(query)
        ]
        return sorted(lines, key=lambda line: (line.day, line.style, line.model, line.outcome))

    async def _one(self, query: Select[*tuple[Any, ...]], generation_id: UUID) -> ModelCall | None:
        row = (await self.connection.execute(query, {"of": generation_id})).one_or_none()
        return None if row is None else to_model_call(row)


def _values(call: ModelCall) -> dict[str, Any]:
    values = msgspec.structs.asdict(call)
    return values | msgspec.structs.asdict(values.pop("facts"))


def to_model_call(row: Row[*tuple[Any, ...]]) -> ModelCall:
    """Return the call of a row of `MODEL_CALLS`."""
    values: dict[str, Any] = {**row._mapping}
    facts = ModelFacts(**{name: values.pop(name) for name in ModelFacts.__struct_fields__})
    return ModelCall(**values, facts=facts)
