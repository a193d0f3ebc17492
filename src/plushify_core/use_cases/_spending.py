"""Limits of the provider's charges: the expected price of a call, the daily limit, and the failures of one user."""

import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from plushify_core.domain.errors import RateLimited, Reason
from plushify_core.domain.limits import Limits
from plushify_core.ports import Capabilities, Clock, Transaction

log = logging.getLogger(__name__)

IN_FLIGHT_RETRY_AFTER_S = 10
"""Delay suggested to a user with too many unfinished generations: about the run time of one."""

AVERAGE_OVER = timedelta(days=7)
"""Age of the oldest call whose cost counts for the expected price."""

AVERAGED_CALLS = 100
"""Number of latest calls whose cost counts for the expected price. It bounds the rows that a dispatch reads."""

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Spending:
    """Limits of the provider's charges. Each method runs in the transaction of its caller."""

    clock: Clock
    limits: Limits

    async def expected_cost_nano_usd(self, tx: Transaction, model: Capabilities, quality: str) -> int:
        """Return the expected price of a call: the model's, else the average of recent calls, else the default."""
        if model.expected_cost_nano_usd is not None:
            return model.expected_cost_nano_usd
        since = self.clock() - AVERAGE_OVER
        average = await tx.model_calls.average_cost(model.name, quality, since, calls=AVERAGED_CALLS)
        return self.limits.expected_call_cost_nano_usd if average is None else average

    async def is_limit_reached(self, tx: Transaction) -> bool:
        """Return whether the model calls of today have reached the daily limit.

        Calls in flight and calls of unknown cost count with their expected price.
        """
        limit = self.limits.daily_spend_nano_usd
        if limit is None:
            return False
        default = self.limits.expected_call_cost_nano_usd
        spent = await tx.model_calls.cost_since(self._today(), default_nano_usd=default)
        if spent < limit:
            return False
        log.error("today's model calls cost up to %.2f USD: no more generations until tomorrow", spent / 1e9)
        return True

    async def may_call(self, tx: Transaction) -> bool:
        """Return whether the daily limit allows one more call.

        The transaction holds a lock until it ends, so concurrent dispatches check the limit one after the other, and
        each counts the calls of those before it.
        """
        if self.limits.daily_spend_nano_usd is None:
            return True
        await tx.model_calls.lock_spending()
        return not await self.is_limit_reached(tx)

    async def check_failures(self, tx: Transaction, user_id: str, *, in_flight: int) -> None:
        """Refuse one more generation of a user who has, or may soon have, too many costly failures today.

        After the first failure, each unfinished generation counts as a possible failure. So the failures of a day never
        exceed the limit, or `max_in_flight_per_user` if that is larger.

        Args:
            tx: the transaction.
            user_id: id of the user.
            in_flight: number of unfinished generations of the user.

        Raises:
            RateLimited: `too_many_failures`, or `too_many_in_flight` if the user must wait for unfinished generations.
        """
        limit = self.limits.failed_generations_per_user_per_day
        if limit is None:
            return
        today = self._today()
        failures = await tx.model_calls.count_costly_failures(user_id, today)
        if failures >= limit:
            until_midnight = today + DAY - self.clock()
            raise RateLimited(Reason.TOO_MANY_FAILURES, retry_after_s=math.ceil(until_midnight.total_seconds()))
        if failures and failures + in_flight >= limit:
            raise RateLimited(Reason.TOO_MANY_IN_FLIGHT, retry_after_s=IN_FLIGHT_RETRY_AFTER_S)

    def _today(self) -> datetime:
        """Return the last midnight in UTC."""
        return self.clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
