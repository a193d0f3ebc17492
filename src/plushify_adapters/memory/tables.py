"""What is stored, in dictionaries."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TypeVar
from uuid import UUID

from plushify_core.domain.generation import Generation
from plushify_core.domain.ledger import EntryKind, LedgerEntry, Subscription
from plushify_core.domain.model_call import ModelCall


@dataclass
class Tables:
    """All that is stored, with the unique keys as indexes. The values are immutable, so a copy is shallow."""

    generations: dict[UUID, Generation] = field(default_factory=dict)
    idempotency_keys: dict[tuple[str, str], UUID] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    entries: dict[UUID, LedgerEntry] = field(default_factory=dict)
    entry_kinds: dict[tuple[UUID, EntryKind], UUID] = field(default_factory=dict)
    expired_grants: dict[UUID, UUID] = field(default_factory=dict)
    model_calls: dict[UUID, ModelCall] = field(default_factory=dict)

    def copy(self) -> "Tables":
        """The same rows, to be changed apart."""
        return Tables(**{table.name: dict(getattr(self, table.name)) for table in fields(self)})


class Repository:
    """Some of the tables, within one transaction."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables


Row = TypeVar("Row", Generation, LedgerEntry)


def page(ordered: Iterable[Row], after: UUID | None, limit: int, *, descending: bool) -> list[Row]:
    """Up to `limit` rows of a sorted table, beginning behind `after`."""

    def behind(row: Row) -> bool:
        if after is None:
            return True
        return row.id < after if descending else row.id > after

    return [row for row in ordered if behind(row)][:limit]
