"""Problem details (RFC 9457): the body of every error response.

Errors of the use cases, errors of the framework (such as an unknown route or a malformed body) and unexpected
exceptions all have the same form.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ExceptionHandlersMap

from plushify_core import Code, PlushifyError, Reason

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_STATUS_BY_CODE = {
    Code.UNAUTHORIZED: 401,
    Code.INSUFFICIENT_CREDITS: 402,
    Code.INVALID_INPUT: 400,
    Code.NOT_FOUND: 404,
    Code.RATE_LIMITED: 429,
    Code.GENERATION_FAILED: 502,
}
_STATUS_BY_REASON = {
    Reason.IMAGE_TOO_LARGE: 413,
    Reason.IMAGE_TOO_MANY_PIXELS: 413,
    Reason.UNSUPPORTED_IMAGE_FORMAT: 415,
    Reason.IMAGE_ANIMATED: 415,
    Reason.EMAIL_TAKEN: 422,
    Reason.IDEMPOTENCY_KEY_REUSED: 422,
    Reason.GENERATION_UNFINISHED: 422,
    Reason.UNDO_WINDOW_OVER: 422,
    Reason.TIMEOUT: 504,
}
_CHALLENGE = {"WWW-Authenticate": 'Session realm="plushify"'}
"""Header of every 401 response (RFC 9110 section 15.5.2)."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Problem details of an error.

    `charged` tells whether credits stay taken for the request; null if that is unknown. `balance` is the balance of the
    user in credits, if known. `retryable` tells whether the same request may succeed later.
    """

    title: str
    status: int
    detail: str
    code: Code
    reason: Reason
    type: str = "about:blank"
    retryable: bool = False
    charged: bool | None = False
    balance: int | None = None


def problem_responses(*statuses: int) -> Mapping[int, ResponseSpec]:
    """Return the OpenAPI responses of a route that returns a problem with these statuses."""
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=HTTPStatus(status).phrase, media_type=MEDIA_TYPE
        )
        for status in statuses
    }


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response[Problem]:
    """Return the response with this problem."""
    return Response(
        problem,
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def from_plushify(_: Request[Any, Any, Any], error: PlushifyError) -> Response[Problem]:
    """Return the problem of an error that a use case raised."""
    status = _STATUS_BY_REASON.get(error.reason, _STATUS_BY_CODE[error.code])
    headers = dict(_CHALLENGE) if status == 401 else {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        code=error.code,
        reason=error.reason,
        retryable=error.retryable,
        charged=error.charged,
        balance=error.balance,
    )
    return problem_response(problem, headers)


def from_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Return the problem of an error that the framework raised before the handler ran."""
    status = error.status_code
    if status >= 500:
        return from_unexpected(request, error)
    code, reason = {
        401: (Code.UNAUTHORIZED, Reason.SIGN_IN_REQUIRED),
        404: (Code.NOT_FOUND, Reason.NOT_FOUND),
        429: (Code.RATE_LIMITED, Reason.TOO_MANY_REQUESTS),
    }.get(status, (Code.INVALID_INPUT, Reason.INVALID_REQUEST))
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=" ".join([reason.message, *_field_messages(error)]),
        code=code,
        reason=reason,
        retryable=status == 429,
    )
    return problem_response(problem, error.headers)


def from_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Log an unexpected exception, and return a problem that reveals nothing of it."""
    log.error("%s %s: unexpected error", request.method, request.url.path, exc_info=error)
    problem = Problem(
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=500,
        detail=Reason.INTERNAL.message,
        code=Code.GENERATION_FAILED,
        reason=Reason.INTERNAL,
        retryable=True,
        charged=None,
    )
    return problem_response(problem)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    PlushifyError: from_plushify,
    HTTPException: from_framework,
    Exception: from_unexpected,
}


def _field_messages(error: HTTPException) -> list[str]:
    """Return the message of each field that failed validation."""
    if not isinstance(error, ValidationException) or not isinstance(error.extra, list):
        return []
    return [f"{invalid.get('key', 'body')}: {invalid['message']}." for invalid in error.extra]
