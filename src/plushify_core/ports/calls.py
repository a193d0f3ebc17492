"""The record of paid calls."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.model_call import ModelCall, Outcome


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """What the model calls of one day (UTC), style, model and outcome cost, and the credits they earned (what was
    refunded is not earned). `unpriced_calls` are those whose cost is not known."""

    day: date
    style: str
    model: str
    outcome: Outcome
    calls: int
    credits_earned: int
    cost_nano_usd: int
    unpriced_calls: int


class ModelCalls(Protocol):
    """The record of paid calls, within one transaction."""

    async def add(self, call: ModelCall) -> bool:
        """Add a call. False, and nothing is added, if its generation has one already."""
        ...

    async def get(self, generation_id: UUID) -> ModelCall | None:
        """The call of this generation."""
        ...

    async def replace(self, call: ModelCall) -> None:
        """Put the call in place of the recorded one of its generation."""
        ...

    async def cost_since(self, since: datetime) -> int:
        """The known cost of the calls started at or after `since`, in nano-dollars."""
        ...

    async def costs(self, since: datetime, until: datetime) -> Sequence[CostLine]:
        """The calls started from `since` up to `until`, added up by day, style, model (the one that was used,
        where it is known) and outcome, in this order."""
        ...
