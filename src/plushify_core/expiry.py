"""What is left of each grant, when some of them expire.

Credits are spent from the grant that expires first. That is worked out from the entries whenever something is due, so
the ledger needs no second account of it that could disagree.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from plushify_core.ledger import EntryKind, LedgerEntry

_NEVER = datetime.max.replace(tzinfo=UTC)


class _Lot:
    """Credits that expire together."""

    def __init__(self, source: LedgerEntry) -> None:
        self.id = source.id
        self.expires_at = source.expires_at or _NEVER
        self.left = source.amount
        self.expired = False


def left_of_grants(entries: Iterable[LedgerEntry]) -> dict[UUID, int]:
    """How many credits are left of what each entry brought.

    What a refund brings back counts again to the grants it was taken from; if one of those has expired meanwhile,
    it is kept without expiry: nobody loses credits to a picture that failed. Where the clocks of two machines
    differ, an entry can stand ahead of one that was posted before it: what it lacks there, other grants pay.

    Args:
        entries: all of one user's, oldest first.

    Returns:
        By the id of the entry that brought the credits; together they are the balance.
    """
    lots: dict[UUID, _Lot] = {}
    taken: dict[UUID, list[tuple[_Lot, int]]] = {}
    owed = 0
    for entry in entries:
        if entry.expires_grant is not None:
            lot = lots[entry.expires_grant]
            owed += max(0, -entry.amount - lot.left)
            lot.left, lot.expired = max(0, lot.left + entry.amount), True
        elif entry.kind is EntryKind.REFUND and entry.generation_id in taken:
            kept = entry.amount
            for lot, amount in taken.pop(entry.generation_id):
                if not lot.expired and entry.created_at < lot.expires_at:
                    lot.left += amount
                    kept -= amount
            lots[entry.id] = lot = _Lot(entry)
            lot.left = kept
        elif entry.amount > 0:
            lots[entry.id] = _Lot(entry)
        else:
            parts = _take(lots.values(), -entry.amount)
            owed += -entry.amount - sum(part for _, part in parts)
            if entry.generation_id is not None:
                taken[entry.generation_id] = parts
        owed -= sum(part for _, part in _take(lots.values(), owed))
    return {lot.id: lot.left for lot in lots.values()}


def _take(lots: Iterable[_Lot], amount: int) -> list[tuple[_Lot, int]]:
    parts: list[tuple[_Lot, int]] = []
    for lot in sorted(lots, key=lambda lot: lot.expires_at):  # stable: of those that expire together, the older first
        part = min(lot.left, amount)
        if part:
            lot.left -= part
            amount -= part
            parts.append((lot, part))
    return parts
