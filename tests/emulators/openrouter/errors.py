"""Answers with an error status that OpenRouter is known to give, by name."""

from collections.abc import Mapping
from typing import Any

import msgspec

from tests.emulators.openrouter.answers import Answer, error_body, json_answer


class ErrorAnswer(msgspec.Struct, frozen=True):
    """An answer with an error status."""

    status: int
    error_type: str | None
    message: str
    retry_after: str | None = None
    metadata: Mapping[str, Any] = {}


ERRORS: dict[str, ErrorAnswer] = {
    "bad_request": ErrorAnswer(400, "invalid_request", "Invalid request parameters"),
    "invalid_image": ErrorAnswer(400, "invalid_image", "Unable to process input image"),
    "image_too_large": ErrorAnswer(400, "image_too_large", "The image is too large"),
    "image_too_small": ErrorAnswer(400, "image_too_small", "The image is too small"),
    "unsupported_image_format": ErrorAnswer(400, "unsupported_image_format", "Unsupported image format"),
    "content_policy": ErrorAnswer(
        400, "content_policy_violation", "The request was blocked by the provider's content policy"
    ),
    "policy_block": ErrorAnswer(
        400,
        None,
        "Provider returned error",
        metadata={"provider_name": "Google", "finish_reason": None, "block_reason": "PROHIBITED_CONTENT"},
    ),
    "policy_block_raw": ErrorAnswer(
        502,
        None,
        "Provider returned error",
        metadata={"provider_name": "Google", "raw": '{"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}'},
    ),
    "refusal": ErrorAnswer(400, "refusal", "The model refused the request"),
    "bad_key": ErrorAnswer(401, "authentication", "User not found."),
    "account_empty": ErrorAnswer(402, "payment_required", "Insufficient credits. Add more using the credits page"),
    "in_flight_budget": ErrorAnswer(
        402,
        "payment_required",
        "Requests in flight would exceed the remaining credits",
        retry_after="0",
        metadata={"limit_source": "openrouter_in_flight_budget"},
    ),
    "moderated": ErrorAnswer(
        403,
        None,
        "Your chosen model requires moderation and your input was flagged",
        metadata={"reasons": ["violence"], "flagged_input": "a fight", "provider_name": "OpenAI"},
    ),
    "key_forbidden": ErrorAnswer(403, "permission_denied", "This key may not use this model"),
    "model_gone": ErrorAnswer(404, "not_found", "No endpoints found for this model"),
    "timeout_408": ErrorAnswer(408, "timeout", "The request timed out"),
    "timeout_504": ErrorAnswer(504, "timeout", "The provider timed out"),
    "timeout_524": ErrorAnswer(524, "timeout", "The edge network timed out"),
    "payload_too_large": ErrorAnswer(413, "payload_too_large", "Request entity too large"),
    "unprocessable": ErrorAnswer(422, "unprocessable", "Unprocessable entity"),
    "rate_limited": ErrorAnswer(429, "rate_limit_exceeded", "Rate limit exceeded", retry_after="0"),
    "rate_limited_40s": ErrorAnswer(429, "rate_limit_exceeded", "Rate limit exceeded", retry_after="40"),
    "rate_limited_by_date": ErrorAnswer(
        429, "rate_limit_exceeded", "Rate limit exceeded", retry_after="Wed, 21 Oct 2015 07:28:00 GMT"
    ),
    "rate_limited_bare": ErrorAnswer(429, None, "Rate limit exceeded"),
    "no_provider": ErrorAnswer(503, "provider_unavailable", "No provider is available", retry_after="0"),
    "overloaded": ErrorAnswer(529, "provider_overloaded", "The provider is overloaded", retry_after="0"),
    "teapot": ErrorAnswer(418, None, "I'm a teapot"),
    "server_error": ErrorAnswer(500, "server", "Internal Server Error"),
    "upstream_error": ErrorAnswer(
        502, "server", "Provider returned error", metadata={"provider_name": "Google", "raw": "upstream 500"}
    ),
}


def error(
    name: str,
    *,
    retry_after: str | None = None,
    code: int | str | None = None,
    with_code: bool = True,
    cost: float | str | None = None,
) -> Answer:
    """Return the error answer of this name.

    Args:
        name: Key of ERRORS.
        retry_after: Value of the header `Retry-After`, if it is not that of the error.
        code: Code in the body, if it is not the status.
        with_code: Whether the body has a code.
        cost: Cost in the body, in dollars; a billed error has one.
    """
    row = ERRORS[name]
    body = error_body(row.status, row.error_type, row.message, row.metadata)
    if code is not None:
        body["error"]["code"] = code
    if not with_code:
        del body["error"]["code"]
    if cost is not None:
        body["usage"] = {"cost": cost}
    pause = retry_after or row.retry_after
    return json_answer(
        body, row.status, {"Retry-After": pause} if pause else {}, cost if isinstance(cost, float) else 0
    )
