"""Default clock and default ids."""

import time
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122

import pytest

from plushify_core import utc_now, uuid7
from plushify_core.ports import ambient

NOW_NS = 1_767_225_600_000_000_000
"""2026-01-01 00:00:00 UTC, in nanoseconds since the epoch."""


@pytest.fixture
def clock_ns(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list whose only item is the time of the system clock, in nanoseconds. No id was made before it."""
    now_ns = [NOW_NS]
    monkeypatch.setattr(time, "time_ns", lambda: now_ns[0])
    monkeypatch.setattr(ambient, "_last_tick", 0)
    return now_ns


def test_utc_now() -> None:
    """The clock returns the current time in UTC, with its time zone."""
    before, now, after = datetime.now(UTC), utc_now(), datetime.now(UTC)

    assert before <= now <= after
    assert now.utcoffset() == timedelta(0)


def test_uuid7_has_the_version_and_the_variant() -> None:
    """An id is a UUID version 7 of the variant of RFC 9562."""
    made = uuid7()

    assert (made.version, made.variant) == (7, RFC_4122)


def test_uuid7_begins_with_the_time(clock_ns: list[int]) -> None:
    """The first 48 bits of an id are the Unix time in milliseconds, and the next 12 a fraction of a millisecond."""
    clock_ns[0] += 250_000  # a quarter of a millisecond

    made = uuid7()

    assert made.int >> 80 == NOW_NS // 1_000_000
    assert made.int >> 64 & 0xFFF == 4096 // 4


def test_uuid7_is_random_after_the_time(clock_ns: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that make an id at the same time make different ids."""
    one = uuid7()
    monkeypatch.setattr(ambient, "_last_tick", 0)
    other = uuid7()

    assert one.int >> 64 == other.int >> 64
    assert one != other


def test_uuid7_increases() -> None:
    """Each id is greater than all earlier ids of the process."""
    made = [uuid7() for _ in range(10_000)]

    assert made == sorted(set(made))


def test_uuid7_increases_while_the_clock_does_not_advance(clock_ns: list[int]) -> None:
    """Ids that are made at the same time increase, even if there are more than 4096 in one millisecond."""
    made = [uuid7() for _ in range(5_000)]

    assert made == sorted(set(made))
    assert {each.version for each in made} == {7}


@pytest.mark.parametrize("step_ns", [1, 1_000_000, 3_600 * 10**9])
def test_uuid7_increases_after_the_clock_is_set_back(clock_ns: list[int], step_ns: int) -> None:
    """Ids increase although the clock was set back, and follow the clock again when it has caught up."""
    made = [uuid7()]
    clock_ns[0] -= step_ns
    made += [uuid7() for _ in range(100)]
    clock_ns[0] += step_ns + 10**9
    made.append(uuid7())

    assert made == sorted(set(made))
    assert made[-1].int >> 80 == (NOW_NS + 10**9) // 1_000_000
