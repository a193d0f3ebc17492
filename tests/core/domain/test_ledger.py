"""Credit ledger: valid entries and balances."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
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


@pytest.mark.parametrize(
    ("kind", "amount", "generation_id"),
    [(EntryKind.CONSUME, -1, None), (EntryKind.ADJUST, 1, None), (EntryKind.GRANT, 1, GENERATION_ID)],
)
def test_key_of_an_entry_that_cannot_be_repeated(kind: EntryKind, amount: int, generation_id: UUID | None) -> None:
    """Only a grant without a generation has an idempotency key."""
    with pytest.raises(ValueError, match="idempotency key"):
        msgspec.structs.replace(entry(kind, amount, generation_id=generation_id), idempotency_key="k")


def test_refund_by_hand() -> None:
    """A refund is by hand unless the system posted it, and no other entry is."""
    by_system = entry(EntryKind.REFUND, 1)
    assert not by_system.is_refund_by_hand
    assert msgspec.structs.replace(by_system, actor="eve").is_refund_by_hand
    assert not msgspec.structs.replace(entry(EntryKind.GRANT, 1), actor="eve").is_refund_by_hand


def test_negative_balance() -> None:
    """A negative balance is refused."""
    with pytest.raises(ValueError, match="cannot be negative"):
        Subscription(user_id="ann", plan="free", balance=-1, created_at=NOW)
