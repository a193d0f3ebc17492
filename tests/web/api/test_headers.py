"""Request header `Prefer`."""

import pytest

from plushify_web.api.headers import parse_prefer


@pytest.mark.parametrize(
    ("header", "patience_s", "applied"),
    [
        (None, None, ""),
        ("", None, ""),
        ("respond-async", 0, "respond-async"),
        ("Respond-Async", 0, "respond-async"),
        ("wait=10", 10, "wait=10"),
        ('wait="10"', 10, "wait=10"),
        ("respond-async, wait=10", 10, "respond-async, wait=10"),
        ("wait=10, wait=20", 10, "wait=10"),
        ("handling=lenient, respond-async; foo=bar", 0, "respond-async"),
        ("wait=soon, wait=-1, wait=1.5", None, ""),
    ],
)
def test_parses_prefer(header: str | None, patience_s: int | None, applied: str) -> None:
    """If a preference is repeated, the first one applies. Unknown and malformed ones are ignored (RFC 7240)."""
    preference = parse_prefer(header)
    assert (preference.patience_s, preference.applied) == (patience_s, applied)
