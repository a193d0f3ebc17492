"""Bytes over the wire: what the HTTP library can raise is translated here, and no answer is larger than allowed."""

import email.utils
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx

from ._failures import LOST, OUR_MISTAKE, UNREACHABLE, UNREADABLE, CallFailed
from ._request import RequestBody

HTTP_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, UnicodeError)
"""What the HTTP library raises: UnicodeError for a host, e.g. in the Location of a redirect, that is no name."""


@contextmanager
def translated(body: RequestBody) -> Iterator[None]:
    """Turns the HTTP library's exceptions into what they mean for the bill.

    Raises:
        CallFailed: before the request had left whole, nothing was billed; after that, nobody knows.
    """
    try:
        yield
    except HTTP_ERRORS as error:
        if body.photo_error is not None:
            raise body.photo_error from None
        verdict = LOST if body.complete else UNREACHABLE
        if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol | httpx.InvalidURL | UnicodeError):
            verdict = LOST if body.complete else OUR_MISTAKE
        raise CallFailed(verdict, f"{type(error).__name__}: {error}") from error


async def read_limited(response: httpx.Response, max_bytes: int) -> bytes:
    """The body of an answer.

    The chunks are joined here because `Response.aread` keeps the body alive in a reference cycle with its stream.

    Raises:
        CallFailed: the answer is larger than `max_bytes`.
    """
    if "," in response.headers.get("Content-Encoding", ""):
        raise CallFailed(UNREADABLE, "the answer is compressed more than once")  # so could grow a million times
    chunks, size = [], 0
    async for chunk in response.aiter_bytes():
        size += len(chunk)
        if size > max_bytes:
            raise CallFailed(UNREADABLE, f"the answer is larger than {max_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def retry_after_s(response: httpx.Response) -> float | None:
    """The pause an answer asks for, in seconds or until a date (RFC 9110 section 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
        return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
