"""Credit ledger: valid entries and balances."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from plushify_core import EntryKind, LedgerEntry, Subscription

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GENERATION_ID = UUID(int=2)


def entry(
    kind: EntryKind, amount: int, *, generation_id: UUID | None = GENERATION_ID, reason: str = "because"
) -> LedgerEntry:
    """Return an entry that is valid except for what a test changes."""
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
    """Grants and refunds add credits, consumption takes credits, and an adjustment does either."""
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
    """An entry with the wrong sign or without credits is refused."""
    with pytest.raises(ValueError, match="wrong sign"):
        entry(kind, amount)


def test_refund_without_a_generation() -> None:
    """A refund without a generation is refused."""
    with pytest.raises(ValueError, match="names the generation"):
        entry(EntryKind.REFUND, 1, generation_id=None)


def test_entry_without_a_reason() -> None:
    """An entry without a reason is refused."""
    with pytest.raises(ValueError, match="needs a reason and an actor"):
        entry(EntryKind.GRANT, 1, reason="")


def test_negative_balance() -> None:
    """A negative balance is refused."""
    with pytest.raises(ValueError, match="cannot be negative"):
        Subscription(user_id="ann", plan="free", balance=-1, created_at=NOW)
