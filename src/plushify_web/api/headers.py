"""Request headers: `If-None-Match` (RFC 9110 section 13.1.2) and `Prefer` (RFC 7240)."""

import re
from typing import Any

import msgspec
from litestar import Request

_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?', re.IGNORECASE)


def matches(request: Request[Any, Any, Any], etag: str) -> bool:
    """Return whether `If-None-Match` names this entity tag, so that the answer is 304."""
    known = request.headers.get("If-None-Match", "")
    return known.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """Preferences of a client about waiting. `wait_s` is None if the client did not limit its wait, in seconds."""

    respond_async: bool = False
    wait_s: int | None = None

    @property
    def patience_s(self) -> float | None:
        """Longest time in seconds that the client waits for the end of a generation; None: no limit."""
        return 0 if self.respond_async and self.wait_s is None else self.wait_s

    @property
    def applied(self) -> str:
        """Value of the response header `Preference-Applied` (RFC 7240 section 3)."""
        wait = [] if self.wait_s is None else [f"wait={self.wait_s}"]
        return ", ".join(["respond-async"] * self.respond_async + wait)


def parse_prefer(header: str | None) -> Preference:
    """Return the preferences in this header. Unknown and malformed ones are ignored (RFC 7240 section 2)."""
    preferences = [preference.split(";")[0].strip() for preference in (header or "").split(",")]
    waits = [int(found[1]) for preference in preferences if (found := _WAIT.fullmatch(preference))]
    return Preference(
        respond_async=any(preference.lower() == "respond-async" for preference in preferences),
        wait_s=waits[0] if waits else None,
    )
