"""What the image model costs, against what it earns."""

from collections.abc import Sequence
from datetime import UTC, timedelta

from plushify_core.errors import InvalidInput
from plushify_core.ports import Clock, CostLine, Store


class CostsUseCase:
    """The report behind `plushify costs`."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def report(self, *, days: int) -> Sequence[CostLine]:
        """The model calls of the last `days` days (UTC), today included.

        Raises:
            InvalidInput: `days` is less than 1.
        """
        if days < 1:
            raise InvalidInput(message="A report covers one day at least.")
        tomorrow = (self._clock().astimezone(UTC) + timedelta(days=1)).replace(
            hour=0, minute=0, second=0, microsecond=0
        )
        async with self._store.begin() as tx:
            return await tx.model_calls.costs(tomorrow - timedelta(days=days), tomorrow)
