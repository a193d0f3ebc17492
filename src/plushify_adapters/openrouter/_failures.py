"""What each failure means: for the user, for the bill, and for a second attempt. All of it stands in these tables.

Sources: https://openrouter.ai/docs/api-reference/errors for statuses and error types, and
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse#FinishReason
for Gemini's finish reasons.

A second attempt is made only after a failure that is known not to be billed.
"""

from enum import Enum, auto

import msgspec

from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing, ModelFacts
from plushify_core.ports import ModelError


class Retry(Enum):
    """Whether the adapter itself tries again."""

    NEVER = auto()
    ONCE = auto()
    WHILE_TIME = auto()


class Verdict(msgspec.Struct, frozen=True):
    """What a failure means.

    `retryable` is for the user: the same photo may succeed later. `loud`: the operator has to act.
    """

    reason: Reason
    retryable: bool
    retry: Retry = Retry.NEVER
    billing: Billing = Billing.NOT_BILLED
    loud: bool = False


class CallFailed(ModelError):
    """A `ModelError` that also knows whether to try again, and after how many seconds at the earliest."""

    def __init__(
        self,
        verdict: Verdict,
        detail: str,
        *,
        billing: Billing | None = None,
        facts: ModelFacts | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(
            verdict.reason,
            detail,
            retryable=verdict.retryable,
            billing=billing or verdict.billing,
            facts=facts,
        )
        self.retry = verdict.retry if self.billing is Billing.NOT_BILLED else Retry.NEVER
        self.retry_after_s = retry_after_s
        self.loud = verdict.loud


POLICY = Verdict(Reason.CONTENT_POLICY, retryable=False)
PHOTO_REFUSED = Verdict(Reason.MODEL_REFUSED_INPUT, retryable=False)
OUR_MISTAKE = Verdict(Reason.INTERNAL, retryable=False, loud=True)
OUR_ACCOUNT = Verdict(Reason.MODEL_UNAVAILABLE, retryable=True, loud=True)
MODEL_GONE = Verdict(Reason.MODEL_UNAVAILABLE, retryable=True, loud=True)
BUSY = Verdict(Reason.MODEL_UNAVAILABLE, retryable=True, retry=Retry.WHILE_TIME)
BROKEN = Verdict(Reason.MODEL_UNAVAILABLE, retryable=True, retry=Retry.ONCE)
TIMED_OUT = Verdict(Reason.TIMEOUT, retryable=True, billing=Billing.UNKNOWN)
UNREACHABLE = Verdict(Reason.MODEL_UNAVAILABLE, retryable=True, retry=Retry.WHILE_TIME)
LOST = Verdict(Reason.MODEL_UNAVAILABLE, retryable=True, billing=Billing.UNKNOWN)
NO_PICTURE = Verdict(Reason.NO_PICTURE, retryable=True, retry=Retry.ONCE)
NO_PICTURE_EVER = Verdict(Reason.NO_PICTURE, retryable=True)
UNREADABLE = Verdict(Reason.NO_PICTURE, retryable=True, billing=Billing.UNKNOWN)

BY_ERROR_TYPE: dict[str, Verdict] = {
    "content_policy_violation": POLICY,
    "refusal": POLICY,
    "invalid_image": PHOTO_REFUSED,
    "image_too_large": PHOTO_REFUSED,
    "image_too_small": PHOTO_REFUSED,
    "unsupported_image_format": PHOTO_REFUSED,
    "image_not_found": OUR_MISTAKE,
    "image_download_failed": OUR_MISTAKE,
    "invalid_request": OUR_MISTAKE,
    "invalid_prompt": OUR_MISTAKE,
    "context_length_exceeded": OUR_MISTAKE,
    "max_tokens_exceeded": OUR_MISTAKE,
    "token_limit_exceeded": OUR_MISTAKE,
    "string_too_long": OUR_MISTAKE,
    "payload_too_large": OUR_MISTAKE,
    "precondition_failed": OUR_MISTAKE,
    "unprocessable": OUR_MISTAKE,
    "authentication": OUR_ACCOUNT,
    "payment_required": OUR_ACCOUNT,
    "permission_denied": OUR_ACCOUNT,
    "not_found": MODEL_GONE,
    "timeout": TIMED_OUT,
    "rate_limit_exceeded": BUSY,
    "provider_overloaded": BUSY,
    "provider_unavailable": BUSY,
    "server": BROKEN,
}

BY_STATUS: dict[int, Verdict] = {
    400: OUR_MISTAKE,
    401: OUR_ACCOUNT,
    402: OUR_ACCOUNT,
    403: OUR_ACCOUNT,
    404: MODEL_GONE,
    408: TIMED_OUT,
    413: OUR_MISTAKE,
    422: OUR_MISTAKE,
    429: BUSY,
    500: BROKEN,
    502: BROKEN,
    503: BUSY,
    504: TIMED_OUT,
    524: TIMED_OUT,
    529: BUSY,
}
_OTHER_4XX = OUR_MISTAKE
_OTHER_5XX = LOST

BY_FINISH_REASON: dict[str, Verdict] = {
    "SAFETY": POLICY,
    "PROHIBITED_CONTENT": POLICY,
    "RECITATION": POLICY,
    "BLOCKLIST": POLICY,
    "SPII": POLICY,
    "CONTENT_FILTER": POLICY,
    "NO_IMAGE": NO_PICTURE,
    "OTHER": NO_PICTURE,
    "STOP": NO_PICTURE,
    "MAX_TOKENS": NO_PICTURE_EVER,
    "LANGUAGE": NO_PICTURE_EVER,
    "LENGTH": NO_PICTURE_EVER,
}
_TRANSIENT_LIMIT = "openrouter_in_flight_budget"
_MODERATION_FACTS = {"reasons", "flagged_input"}


class ProviderError(msgspec.Struct, frozen=True):
    """OpenRouter's own words about a failure, as far as they could be read."""

    message: str = ""
    status: int | None = None
    error_type: str | None = None
    provider: str | None = None
    limit_source: str | None = None
    keys: frozenset[str] = frozenset()


def verdict_of_error(error: ProviderError, status: int) -> Verdict:
    """What an error means: moderation and transient limits first, then its type, then its status."""
    if error.keys & _MODERATION_FACTS:
        return POLICY
    if error.limit_source == _TRANSIENT_LIMIT:
        return BUSY
    if error.error_type in BY_ERROR_TYPE:
        return BY_ERROR_TYPE[error.error_type]
    return BY_STATUS.get(status, _OTHER_5XX if status >= 500 else _OTHER_4XX)


def verdict_of_finish(native: str | None, finish: str | None) -> Verdict:
    """What an answer without a picture means, by the reason it ended for; the provider's own reason goes first."""
    for reason in (native, finish):
        known = BY_FINISH_REASON.get((reason or "").upper().removeprefix("IMAGE_"))
        if known is not None:
            return known
    return NO_PICTURE_EVER
