"""Decision to retry a failed attempt, and the log of retries."""

import asyncio
import logging
from collections.abc import Callable

from stamina.instrumentation import RetryDetails, StructlogOnRetryHook, get_on_retry_hooks, set_on_retry_hooks

from plushify_adapters.openrouter._call_state import CallState
from plushify_adapters.openrouter._failures import CallFailed, Retry

log = logging.getLogger(__name__)

_STRUCTLOG_MODULE = StructlogOnRetryHook.hook_factory.__module__


def keep_stdout_free_of_retries() -> None:
    """Replace stamina's structlog hook by one that uses `logging`. Other hooks of the process are kept.

    stamina adds that hook if structlog is installed, and structlog prints to stdout unless it is configured. There, the
    line would break the output of a program that prints JSON.
    """
    hooks = get_on_retry_hooks()
    replaced = [_log_retry if hook.__module__ == _STRUCTLOG_MODULE else hook for hook in hooks]
    if replaced != list(hooks):
        set_on_retry_hooks(replaced)


def _log_retry(details: RetryDetails) -> None:
    log.warning(
        "attempt %d failed, the next one is in %.1f s: %s", details.retry_num, details.wait_for, details.caused_by
    )


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
