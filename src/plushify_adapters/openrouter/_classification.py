"""Classification of an answer without a picture: which failure it is, and whether it is billed."""

from plushify_adapters.openrouter._answer import Answer
from plushify_adapters.openrouter._failures import (
    BY_STATUS,
    OUR_MISTAKE,
    OUTCOME_UNKNOWN,
    POLICY,
    UNREADABLE,
    CallFailed,
    kind_of_error,
    kind_of_finish_reason,
)
from plushify_adapters.openrouter._options import Api
from plushify_core.domain.model_call import Billing


def classify_failure(answer: Answer, status: int, api: Api, retry_after_s: float | None) -> CallFailed:
    """Return the failure for an answer without a picture.

    An answer with an error status that reports a cost is billed all the same.

    Args:
        answer: The decoded body.
        status: HTTP status of the response.
        api: API that was called.
        retry_after_s: Delay from the `Retry-After` header, in seconds.
    """
    if 200 <= status < 300:
        return _classify_status_200(answer)
    billing = billing_of(answer) if answer.charged else None
    if answer.error is None and _is_policy(answer):
        return CallFailed(POLICY, f"status {status}", billing=billing, facts=answer.facts)
    if answer.error is None:
        # A proxy produced this response, so a 5xx says nothing about the call that it forwarded.
        kind = OUTCOME_UNKNOWN if status >= 500 else BY_STATUS.get(status, OUR_MISTAKE)
        return CallFailed(kind, f"status {status}", billing=billing, facts=answer.facts, retry_after_s=retry_after_s)
    return CallFailed(
        POLICY if _is_policy(answer) else kind_of_error(answer.error, status),
        f"status {status}: {answer.error.message}",
        billing=billing or (Billing.NOT_BILLED if api is Api.IMAGES else None),
        facts=answer.facts,
        retry_after_s=retry_after_s,
    )


def billing_of(answer: Answer) -> Billing:
    """Return whether an answer is billed, according to the cost that it reports."""
    if answer.facts.cost_nano_usd is None:
        return Billing.UNKNOWN
    return Billing.BILLED if answer.facts.cost_nano_usd else Billing.NOT_BILLED


def _classify_status_200(answer: Answer) -> CallFailed:
    if not answer.readable:
        return CallFailed(UNREADABLE, "the answer is not understood")
    detail = f"no picture, finish reason {answer.native_finish_reason or answer.finish_reason}"
    if answer.error is not None:
        kind = POLICY if _is_policy(answer) else kind_of_error(answer.error, answer.error.status or 502)
        detail = f"error in an answer of status 200: {answer.error.message}"
    elif answer.refused:
        kind = POLICY
    else:
        kind = kind_of_finish_reason(answer.native_finish_reason, answer.finish_reason)
    return CallFailed(kind, detail, billing=billing_of(answer), facts=answer.facts)


def _is_policy(answer: Answer) -> bool:
    """Return whether the answer itself, apart from its error object, blames the content."""
    return answer.refused or kind_of_finish_reason(answer.native_finish_reason, answer.finish_reason) is POLICY
