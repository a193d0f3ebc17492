"""Clock and id generator, with the defaults that most programs use."""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from uuid import UUID

Clock = Callable[[], datetime]
"""Returns the current time with a time zone (UTC)."""

NewId = Callable[[], UUID]
"""Returns a new unique id. Ids sort by time (UUID version 7, RFC 9562 section 5.7)."""

_last_tick = 0
_lock = Lock()


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def uuid7() -> UUID:
    """Return a new UUID version 7, greater than every id that this process made before.

    The first 60 bits are the time in units of 1/4096 ms (RFC 9562 section 6.2, method 3). If the clock has not moved
    since the last id, or was set back, the next unit is used instead.
    """
    global _last_tick
    with _lock:
        _last_tick = tick = max(time.time_ns() * 4096 // 1_000_000, _last_tick + 1)
    milliseconds, fraction = divmod(tick, 4096)
    return UUID(int=milliseconds << 80 | 7 << 76 | fraction << 64 | 2 << 62 | secrets.randbits(62))
