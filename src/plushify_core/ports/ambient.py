"""What every program has around it: the time, and names that nothing else has."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

Clock = Callable[[], datetime]
"""The time now, with a time zone (UTC)."""

NewId = Callable[[], UUID]
"""A new unique id, ordered by time (UUID version 7, RFC 9562 section 5.7)."""
