"""Decision to retry a failed attempt."""

import asyncio
from collections.abc import Callable

from plushify_adapters.openrouter._call_state import CallState
from plushify_adapters.openrouter._failures import CallFailed, Retry


def retry_within(
    deadline: asyncio.Timeout, state: CallState, first_pause_s: float
) -> Callable[[Exception], bool | float]:
    """Return the predicate for stamina that allows a retry if the failure permits one and the pause fits the deadline.

    The predicate refuses a pause beyond the deadline, so that the user sees the failure at once instead of at the end.

    Args:
        deadline: Deadline of the whole call.
        state: State of the call, which counts its attempts.
        first_pause_s: Pause before the first retry in seconds, if the response names none; doubled for each attempt.
    """

    def decide(error: Exception) -> bool | float:
        if not isinstance(error, CallFailed) or error.retry is Retry.NEVER:
            return False
        if error.retry is Retry.ONCE and state.retried_once:
            return False
        state.retried_once |= error.retry is Retry.ONCE
        pause_s = error.retry_after_s
        # stamina adds up to `first_pause_s` of jitter to its exponential backoff.
        longest_pause_s = first_pause_s * (2 ** (state.attempts - 1) + 1) if pause_s is None else pause_s
        end = deadline.when()
        assert end is not None
        if asyncio.get_running_loop().time() + longest_pause_s >= end:
            return False
        return True if pause_s is None else pause_s

    return decide
