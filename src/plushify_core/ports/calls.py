"""Records of the paid calls to the image model."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.domain.model_call import ModelCall, Outcome


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """Totals of the model calls with the same day (UTC), style, model and outcome.

    `credits_earned` excludes refunded credits. `unpriced_calls` counts the calls whose cost is unknown, and
    `unpriced_expected_nano_usd` is the sum of the expected prices of those that were billed or may have been.
    """

    day: date
    style: str
    model: str
    outcome: Outcome
    calls: int
    credits_earned: int
    cost_nano_usd: int
    unpriced_calls: int
    unpriced_expected_nano_usd: int = 0


class ModelCalls(Protocol):
    """Records of paid calls, within one transaction."""

    async def add(self, call: ModelCall) -> bool:
        """Add a call. Return False, and add nothing, if its generation already has one."""
        ...

    async def get(self, generation_id: UUID) -> ModelCall | None:
        """Return the call of this generation."""
        ...

    async def update(self, generation_id: UUID, change: Callable[[ModelCall], ModelCall]) -> bool:
        """Replace the call of this generation by `change(call)`. Return False if there is no call.

        The call is locked before it is read: other updates of it wait until this transaction ends, and then read the
        changed call. So no update overwrites what another one has recorded.
        """
        ...

    async def lock_spending(self) -> None:
        """Make every other transaction that calls this wait until this one ends.

        So if every transaction that adds a call takes this lock first, `cost_since` misses no call of another one.
        """
        ...

    async def cost_since(self, since: datetime, *, default_nano_usd: int = 0) -> int:
        """Return the sum of `ModelCall.counted_cost_nano_usd` of the calls started at or after `since`.

        Args:
            since: start of the time.
            default_nano_usd: expected price of the calls whose record has none.
        """
        ...

    async def average_cost(self, model: str, quality: str, since: datetime, *, calls: int) -> int | None:
        """Return the average of the known costs of the latest `calls` calls, in nano-dollars and rounded up.

        Only calls of this requested model and this quality that started at or after `since` count. Return None if none
        of them has a known cost.
        """
        ...

    async def count_costly_failures(self, user_id: str, since: datetime) -> int:
        """Return the number of costly failures among the calls of the user that started at or after `since`.

        `ModelCall.is_costly_failure` defines them.
        """
        ...

    async def costs(self, since: datetime, until: datetime) -> Sequence[CostLine]:
        """Return totals of the calls started from `since` until before `until`.

        They are grouped and ordered by day, style, model and outcome. The model is the one that was used, or the one
        that was requested if that is unknown.
        """
        ...
