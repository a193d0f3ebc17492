"""Limits: their durations, and their lowest values."""

from datetime import timedelta

import pytest

from plushify_core import InvalidInput, Limits, Reason

MAY_BE_ZERO = {"undo_delete_s", "free_credits", "drain_s", "orphan_age_days", "orphan_percent", "orphan_count"}


def test_durations() -> None:
    """Limits in seconds are available as durations."""
    limits = Limits(timeout_s=1, pending_lease_s=2, lease_s=3, settle_timeout_s=4, undo_delete_s=5)

    durations = [limits.timeout, limits.pending_lease, limits.lease, limits.settle_timeout, limits.undo_window]
    assert durations == [timedelta(seconds=seconds) for seconds in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize("name", sorted(set(Limits.__struct_fields__) - MAY_BE_ZERO))
def test_limits_are_positive(name: str) -> None:
    """A limit of 0 is refused, and the message names it."""
    with pytest.raises(ValueError, match=f"limit {name} is 0: it must be positive"):
        Limits(**{name: 0})


@pytest.mark.parametrize("name", sorted(MAY_BE_ZERO))
def test_limits_that_may_be_zero(name: str) -> None:
    """The undo window, the free credits, the drain time and the limits of orphaned blobs may be 0, and not negative."""
    assert getattr(Limits(**{name: 0}), name) == 0
    with pytest.raises(ValueError, match=f"limit {name} is -1: it must be 0 or more"):
        Limits(**{name: -1})


@pytest.mark.parametrize("items", [0, -1, 101])
def test_page_sizes(items: int) -> None:
    """A page with too few or too many items is invalid input."""
    Limits().validate_page(100)
    with pytest.raises(InvalidInput) as caught:
        Limits().validate_page(items)

    assert (caught.value.reason, caught.value.message) == (Reason.INVALID_REQUEST, "A page has 1 to 100 items.")


@pytest.mark.parametrize(("listed", "removable"), [(0, 10), (200, 10), (219, 10), (220, 11), (10_000, 500)])
def test_removable_orphans(listed: int, removable: int) -> None:
    """A removal may move 5 % of the listed blobs, and always 10."""
    assert Limits().removable_orphans(listed) == removable


def test_sweeps_notice_failures_of_the_database() -> None:
    """By default, every failure of the database in which a lease can expire is met by a sweep.

    A lease has at least two thirds left when the failure begins, because its process renews it three times in a lease.
    """
    assert Limits().sweep_interval_s <= Limits().lease_s * 2 / 3
