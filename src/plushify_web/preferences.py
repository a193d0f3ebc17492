"""How long a client wants to wait: the `Prefer` header (RFC 7240)."""

import re

import msgspec

_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?', re.IGNORECASE)


class Preference(msgspec.Struct, frozen=True, kw_only=True):
    """What a client prefers. `wait_s` is None where it is content to wait for the end."""

    respond_async: bool = False
    wait_s: int | None = None

    @property
    def patience_s(self) -> float | None:
        """Seconds until the client wants an answer, done or not; None for as long as it takes."""
        return 0 if self.respond_async and self.wait_s is None else self.wait_s

    @property
    def applied(self) -> str:
        """The value of `Preference-Applied` (RFC 7240 section 3)."""
        wait = [] if self.wait_s is None else [f"wait={self.wait_s}"]
        return ", ".join(["respond-async"] * self.respond_async + wait)


def parse_prefer(header: str | None) -> Preference:
    """The preferences of this header. Those unknown or malformed are ignored, as the RFC has it (section 2)."""
    preferences = [preference.split(";")[0].strip() for preference in (header or "").split(",")]
    waits = [int(found[1]) for preference in preferences if (found := _WAIT.fullmatch(preference))]
    return Preference(
        respond_async=any(preference.lower() == "respond-async" for preference in preferences),
        wait_s=waits[0] if waits else None,
    )
