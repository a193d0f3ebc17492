"""Limits: their durations, and their lowest values."""

from datetime import timedelta

import pytest

from plushify_core import InvalidInput, Limits, Reason
from plushify_core.use_cases._settlement import SETTLE_RETRY_DELAYS_S

MAY_BE_ZERO = {"undo_delete_s", "free_credits", "drain_s", "orphan_age_days", "orphan_percent", "orphan_count"}


def test_durations() -> None:
    """Limits in seconds are available as durations."""
    limits = Limits(timeout_s=1, pending_lease_s=2, lease_margin_s=3, undo_delete_s=4)

    durations = [limits.timeout, limits.pending_lease, limits.lease_margin, limits.undo_window]
    assert durations == [timedelta(seconds=seconds) for seconds in (1, 2, 3, 4)]


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


def test_the_lease_outlives_the_settlement() -> None:
    """By default, all tries of a settlement end in half of the lease margin."""
    assert sum(SETTLE_RETRY_DELAYS_S) < Limits().lease_margin_s / 2


@pytest.mark.parametrize(("listed", "removable"), [(0, 10), (200, 10), (219, 10), (220, 11), (10_000, 500)])
def test_removable_orphans(listed: int, removable: int) -> None:
    """A removal may move 5 % of the listed blobs, and always 10."""
    assert Limits().removable_orphans(listed) == removable
