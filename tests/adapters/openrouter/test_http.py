"""HTTP helpers: the `Retry-After` header, and the list of the HTTP library's exceptions."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from plushify_adapters.openrouter._http import HTTP_ERRORS, retry_after_s


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("40", 40.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("9" * 40, None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +9999999999999999", None),
        ("Mon, 01 Jan 0001 00:00:00 +2300", 0.0),
    ],
)
def test_reads_retry_after(value: str, expected: float | None) -> None:
    """`Retry-After` is a number of seconds or a date (RFC 9110 section 10.2.3); any other value is ignored."""
    assert retry_after_s(httpx.Response(429, headers={"Retry-After": value})) == expected


def test_reads_retry_after_with_a_future_date() -> None:
    """The pause lasts until the date."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    pause_s = retry_after_s(httpx.Response(429, headers={"Retry-After": date}))

    assert pause_s is not None
    assert 3000 < pause_s <= 3600


def test_translates_every_exception_of_the_http_library() -> None:
    """Every exception of the HTTP library is in HTTP_ERRORS, apart from one that the adapter cannot cause."""
    errors = {value for value in vars(httpx).values() if isinstance(value, type) and issubclass(value, Exception)}
    unknown = {error.__name__ for error in errors if not issubclass(error, HTTP_ERRORS)}

    # Raised by reading one of several cookies of the same name; the adapter reads no cookies.
    assert unknown == {"CookieConflict"}
