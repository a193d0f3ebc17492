"""Error translation and limits for HTTP calls. Calls may raise nothing else, and no body exceeds its limit."""

import email.utils
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx

from plushify_adapters.openrouter._failures import OUR_MISTAKE, OUTCOME_UNKNOWN, UNREACHABLE, UNREADABLE, CallFailed
from plushify_adapters.openrouter._request import RequestBody

HTTP_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, UnicodeError)
"""Every exception of the HTTP library; it raises UnicodeError for an invalid host name, e.g. in a redirect."""


@contextmanager
def translate_http_errors(body: RequestBody) -> Iterator[None]:
    """Translate the HTTP library's exceptions, and re-raise those of reading the photo unchanged.

    Raises:
        CallFailed: The exchange failed. It is not billed if the request was incomplete, and unknown otherwise.
    """
    try:
        yield
    except HTTP_ERRORS as error:
        if body.photo_error is not None:
            raise body.photo_error from None
        kind = OUTCOME_UNKNOWN if body.complete else UNREACHABLE
        if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol | httpx.InvalidURL | UnicodeError):
            kind = OUTCOME_UNKNOWN if body.complete else OUR_MISTAKE
        raise CallFailed(kind, f"{type(error).__name__}: {error}") from error


async def read_limited(response: httpx.Response, max_bytes: int) -> bytes:
    """Return the body of a response, decompressed.

    The chunks are joined here because `Response.aread` keeps the body alive in a reference cycle with its stream.

    Raises:
        CallFailed: The body is larger than `max_bytes`, or compressed more than once.
    """
    if "," in response.headers.get("Content-Encoding", ""):
        # Nested compression could expand a small chunk a million times before its size is checked.
        raise CallFailed(UNREADABLE, "the answer is compressed more than once")
    chunks, size = [], 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > max_bytes:
            raise CallFailed(UNREADABLE, f"the answer is larger than {max_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def retry_after_s(response: httpx.Response) -> float | None:
    """Return the `Retry-After` delay in seconds, from either of its forms (RFC 9110 section 10.2.3).

    Returns None if the header is missing or malformed.
    """
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
        return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
