"""Tables of failures: the reason shown to the user, the billing, and whether to retry.

Sources: https://openrouter.ai/docs/api-reference/errors for statuses and error types, and
https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse#FinishReason
for Gemini's finish reasons.

A failure is retried only if it is known not to be billed.
"""

from enum import Enum, auto

import msgspec

from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing, ModelFacts
from plushify_core.ports import ModelError


class Retry(Enum):
    """Number of retries that the adapter makes by itself after a failure."""

    NEVER = auto()
    ONCE = auto()
    UNTIL_DEADLINE = auto()


class FailureKind(msgspec.Struct, frozen=True):
    """Kind of failure and its consequences.

    `retryable` tells the user that the same photo may succeed later; `retry` says what the adapter does on its own.
    `needs_operator` logs the failure as an error.
    """

    reason: Reason
    retryable: bool
    retry: Retry = Retry.NEVER
    billing: Billing = Billing.NOT_BILLED
    needs_operator: bool = False


class CallFailed(ModelError):
    """`ModelError` with its retry rule and, if the response names one, the shortest pause before a retry.

    Args:
        kind: Kind of the failure.
        detail: Sentence for the log.
        billing: Billing, if it differs from the kind's.
        facts: Facts from the answer.
        retry_after_s: Shortest pause before a retry, in seconds.
    """

    def __init__(
        self,
        kind: FailureKind,
        detail: str,
        *,
        billing: Billing | None = None,
        facts: ModelFacts | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(
            kind.reason,
            detail,
            retryable=kind.retryable,
            billing=billing or kind.billing,
            facts=facts,
        )
        self.retry = kind.retry if self.billing is Billing.NOT_BILLED else Retry.NEVER
        self.retry_after_s = retry_after_s
        self.needs_operator = kind.needs_operator


POLICY = FailureKind(Reason.CONTENT_POLICY, retryable=False)
PHOTO_REFUSED = FailureKind(Reason.MODEL_REFUSED_INPUT, retryable=False)
OUR_MISTAKE = FailureKind(Reason.INTERNAL, retryable=False, needs_operator=True)
OUR_ACCOUNT = FailureKind(Reason.MODEL_UNAVAILABLE, retryable=True, needs_operator=True)
MODEL_GONE = FailureKind(Reason.MODEL_UNAVAILABLE, retryable=True, needs_operator=True)
BUSY = FailureKind(Reason.MODEL_UNAVAILABLE, retryable=True, retry=Retry.UNTIL_DEADLINE)
UPSTREAM_ERROR = FailureKind(Reason.MODEL_UNAVAILABLE, retryable=True, retry=Retry.ONCE)
TIMED_OUT = FailureKind(Reason.TIMEOUT, retryable=True, billing=Billing.UNKNOWN)
UNREACHABLE = FailureKind(Reason.MODEL_UNAVAILABLE, retryable=True, retry=Retry.UNTIL_DEADLINE)
OUTCOME_UNKNOWN = FailureKind(Reason.MODEL_UNAVAILABLE, retryable=True, billing=Billing.UNKNOWN)
NO_PICTURE = FailureKind(Reason.NO_PICTURE, retryable=True, retry=Retry.ONCE)
NO_PICTURE_FINAL = FailureKind(Reason.NO_PICTURE, retryable=True)
UNREADABLE = FailureKind(Reason.NO_PICTURE, retryable=True, billing=Billing.UNKNOWN)

BY_ERROR_TYPE: dict[str, FailureKind] = {
    "content_policy_violation": POLICY,
    "refusal": POLICY,
    "content_filter": POLICY,  # Azure's code
    "moderation_blocked": POLICY,  # OpenAI's code
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
    "server": UPSTREAM_ERROR,
}

BY_STATUS: dict[int, FailureKind] = {
    400: OUR_MISTAKE,
    401: OUR_ACCOUNT,
    402: OUR_ACCOUNT,
    403: OUR_ACCOUNT,
    404: MODEL_GONE,
    408: TIMED_OUT,
    413: OUR_MISTAKE,
    422: OUR_MISTAKE,
    429: BUSY,
    500: UPSTREAM_ERROR,
    502: UPSTREAM_ERROR,
    503: BUSY,
    504: TIMED_OUT,
    524: TIMED_OUT,
    529: BUSY,
}
_OTHER_4XX = OUR_MISTAKE
_OTHER_5XX = OUTCOME_UNKNOWN

BY_FINISH_REASON: dict[str, FailureKind] = {
    "SAFETY": POLICY,
    "PROHIBITED_CONTENT": POLICY,
    "RECITATION": POLICY,
    "BLOCKLIST": POLICY,
    "SPII": POLICY,
    "CONTENT_FILTER": POLICY,
    "REFUSAL": POLICY,
    "NO_IMAGE": NO_PICTURE,
    "OTHER": NO_PICTURE,
    "STOP": NO_PICTURE,
    "MAX_TOKENS": NO_PICTURE_FINAL,
    "LANGUAGE": NO_PICTURE_FINAL,
    "LENGTH": NO_PICTURE_FINAL,
}
_REASON_PREFIXES = ("FINISH_REASON_", "BLOCKED_REASON_", "BLOCK_REASON_", "IMAGE_")
_TRANSIENT_LIMIT = "openrouter_in_flight_budget"
_MODERATION_KEYS = {"reasons", "flagged_input"}


class ProviderError(msgspec.Struct, frozen=True):
    """Error object of a response; fields that are missing or malformed have their defaults.

    Attributes:
        message: Message for developers.
        status: HTTP status that the error stands for.
        error_type: OpenRouter's type of the error.
        provider: Name of the provider.
        limit_source: Source of the limit that was exceeded.
        keys: Keys of its metadata that have a value.
        block_reason: Reason for which the provider blocked the request, in any part of the error.
        finish_reasons: Finish reasons in any part of the error.
    """

    message: str = ""
    status: int | None = None
    error_type: str | None = None
    provider: str | None = None
    limit_source: str | None = None
    keys: frozenset[str] = frozenset()
    block_reason: str | None = None
    finish_reasons: tuple[str, ...] = ()


def kind_of_error(error: ProviderError, status: int) -> FailureKind:
    """Return the kind of an error by moderation and transient limits, then by error type, then by status.

    A status that says no more than "bad request" gives way to a finish reason that says why.
    """
    by_finish_reason = [kind for reason in error.finish_reasons if (kind := _kind_of_reason(reason)) is not None]
    if error.keys & _MODERATION_KEYS or error.block_reason is not None or POLICY in by_finish_reason:
        return POLICY
    if error.limit_source == _TRANSIENT_LIMIT:
        return BUSY
    if error.error_type in BY_ERROR_TYPE:
        return BY_ERROR_TYPE[error.error_type]
    by_status = BY_STATUS.get(status, _OTHER_5XX if status >= 500 else _OTHER_4XX)
    return by_finish_reason[0] if by_status is OUR_MISTAKE and by_finish_reason else by_status


def kind_of_finish_reason(native: str | None, finish: str | None) -> FailureKind:
    """Return the kind of an answer without a picture by its finish reasons; the provider's own has precedence."""
    for reason in (native, finish):
        if reason is not None and (known := _kind_of_reason(reason)) is not None:
            return known
    return NO_PICTURE_FINAL


def normalise_reason(reason: str) -> str:
    """Return a block or finish reason in Gemini's spelling: `IMAGE_SAFETY` and `FinishReason.SAFETY` as `SAFETY`."""
    name = reason.rpartition(".")[2].strip().upper().replace("-", "_")
    for prefix in _REASON_PREFIXES:
        name = name.removeprefix(prefix)
    return name


def _kind_of_reason(reason: str) -> FailureKind | None:
    return BY_FINISH_REASON.get(normalise_reason(reason))
