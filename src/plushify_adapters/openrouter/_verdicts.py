"""From an answer without a picture to the failure it is."""

from plushify_core.domain.model_call import Billing

from ._answer import Answer
from ._failures import (
    BY_STATUS,
    LOST,
    OUR_MISTAKE,
    POLICY,
    UNREADABLE,
    CallFailed,
    verdict_of_error,
    verdict_of_finish,
)
from ._options import Api


def failure_of(answer: Answer, status: int, api: Api, retry_after_s: float | None) -> CallFailed:
    """What went wrong, and what it means.

    Args:
        status: the HTTP status of the answer.
        retry_after_s: the pause the answer asks for, in seconds.
    """
    if 200 <= status < 300:
        return _failure_in_200(answer)
    if answer.error is None:
        # Not OpenRouter's own words: a server before it broke, and nothing is known of what happened behind that.
        verdict = LOST if status >= 500 else BY_STATUS.get(status, OUR_MISTAKE)
        return CallFailed(verdict, f"status {status}", facts=answer.facts, retry_after_s=retry_after_s)
    return CallFailed(
        verdict_of_error(answer.error, status),
        f"status {status}: {answer.error.message}",
        billing=Billing.NOT_BILLED if api is Api.IMAGES else None,
        facts=answer.facts,
        retry_after_s=retry_after_s,
    )


def billing_of(answer: Answer) -> Billing:
    """Whether an answer that came is billed: only its own usage can tell."""
    if answer.facts.cost_nano_usd is None:
        return Billing.UNKNOWN
    return Billing.BILLED if answer.facts.cost_nano_usd else Billing.NOT_BILLED


def _failure_in_200(answer: Answer) -> CallFailed:
    if not answer.readable:
        return CallFailed(UNREADABLE, "the answer is not understood")
    detail = f"no picture, finish reason {answer.native_finish_reason or answer.finish_reason}"
    if answer.error is not None:
        verdict = verdict_of_error(answer.error, answer.error.status or 502)
        detail = f"error in an answer of status 200: {answer.error.message}"
    elif answer.refused:
        verdict = POLICY
    else:
        verdict = verdict_of_finish(answer.native_finish_reason, answer.finish_reason)
    return CallFailed(verdict, detail, billing=billing_of(answer), facts=answer.facts)
