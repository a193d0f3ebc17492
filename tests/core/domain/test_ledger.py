"""What an entry and a balance can be."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from plushify_core import EntryKind, LedgerEntry, Subscription

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GENERATION_ID = UUID(int=2)


def entry(
    kind: EntryKind, amount: int, *, generation_id: UUID | None = GENERATION_ID, reason: str = "because"
) -> LedgerEntry:
    """An entry, right but for what the test is about."""
    return LedgerEntry(
        id=UUID(int=1),
        user_id="ann",
        kind=kind,
        amount=amount,
        reason=reason,
        actor="system",
        created_at=NOW,
        generation_id=generation_id,
    )


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (EntryKind.GRANT, 3),
        (EntryKind.CONSUME, -3),
        (EntryKind.REFUND, 3),
        (EntryKind.ADJUST, 3),
        (EntryKind.ADJUST, -3),
    ],
)
def test_signs(kind: EntryKind, amount: int) -> None:
    """Grants and refunds give, consumption takes, an adjustment does either."""
    assert entry(kind, amount).amount == amount


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (EntryKind.GRANT, -3),
        (EntryKind.CONSUME, 3),
        (EntryKind.REFUND, -3),
        *((kind, 0) for kind in EntryKind),
    ],
)
def test_wrong_signs(kind: EntryKind, amount: int) -> None:
    """No kind moves credits the wrong way, and none moves nothing."""
    with pytest.raises(ValueError, match="wrong sign"):
        entry(kind, amount)


def test_refund_of_nothing() -> None:
    """A refund names what it refunds."""
    with pytest.raises(ValueError, match="names the generation"):
        entry(EntryKind.REFUND, 1, generation_id=None)


def test_unexplained() -> None:
    """Every entry says why credits moved."""
    with pytest.raises(ValueError, match="needs a reason and an actor"):
        entry(EntryKind.GRANT, 1, reason="")


def test_balance_below_zero() -> None:
    """There is no such balance."""
    with pytest.raises(ValueError, match="cannot be negative"):
        Subscription(user_id="ann", plan="free", balance=-1, created_at=NOW)
