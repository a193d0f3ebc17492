"""Costs of the image model, and the credits that its pictures earned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from plushify_core.domain.errors import InvalidInput
from plushify_core.ports import Clock, CostLine, Store


@dataclass(frozen=True, kw_only=True, eq=False)
class CostsUseCase:
    """Report of the costs of model calls, for `plushify costs`."""

    store: Store
    clock: Clock

    async def report(self, *, days: int) -> Sequence[CostLine]:
        """Return totals of the model calls of the last `days` days (UTC), including today.

        Raises:
            InvalidInput: `days` is less than 1.
        """
        if days < 1:
            raise InvalidInput(message="A report covers one day at least.")
        tomorrow = (self.clock().astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        async with self.store.begin() as tx:
            return await tx.model_calls.costs(tomorrow - timedelta(days=days), tomorrow)
