"""Expiry of granted credits: computes how many credits are left of each grant.

Credits are spent from the grant that expires first. The credits left of a grant are not stored: they are computed from
the ledger entries, so they cannot disagree with the ledger.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from plushify_core.domain.ledger import EntryKind, LedgerEntry

_NEVER = datetime.max.replace(tzinfo=UTC)


class _Lot:
    """Credits left of one entry that added credits. All of them expire at the same time."""

    def __init__(self, source: LedgerEntry) -> None:
        self.id = source.id
        self.expires_at = source.expires_at or _NEVER
        self.left = source.amount
        self.expired = False


def left_of_grants(entries: Iterable[LedgerEntry]) -> dict[UUID, int]:
    """Return how many credits are left of each entry that added credits.

    A refund returns its credits to the grants that paid for the generation. If such a grant has expired in the
    meantime, its share becomes credits that never expire, so a failed generation costs no credits.

    An entry that spends credits can sort before the grant that paid for it, because entries are sorted by their ids,
    which are made with the clocks of several machines. The missing credits are then taken from the next grants.

    Args:
        entries: all entries of one user, oldest first.

    Returns:
        Credits left by id of the entry that added them. Their sum is the balance.
    """
    lots: dict[UUID, _Lot] = {}
    taken: dict[UUID, list[tuple[_Lot, int]]] = {}  # by generation: the lots that paid for it
    owed = 0  # credits that were spent before an entry added them
    for entry in entries:
        if entry.expires_grant is not None:
            lot = lots[entry.expires_grant]
            owed += max(0, -entry.amount - lot.left)
            lot.left, lot.expired = max(0, lot.left + entry.amount), True
        elif entry.kind is EntryKind.REFUND and entry.generation_id in taken:
            kept = entry.amount  # the part that never expires, because its grants have expired
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
    """Take up to `amount` credits from the lots that expire first. Return how many were taken from each lot."""
    parts: list[tuple[_Lot, int]] = []
    # The sort is stable, so of two lots that expire at the same time, the older comes first.
    for lot in sorted(lots, key=lambda lot: lot.expires_at):
        part = min(lot.left, amount)
        if part:
            lot.left -= part
            amount -= part
            parts.append((lot, part))
    return parts
