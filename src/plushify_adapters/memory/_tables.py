"""Tables of the store in memory, and the base class of its repositories."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Self, TypeVar
from uuid import UUID

from plushify_core.domain.generation import Generation
from plushify_core.domain.ledger import EntryKind, LedgerEntry, Subscription
from plushify_core.domain.model_call import ModelCall
from plushify_core.ports import Installation


@dataclass
class Tables:
    """Rows by primary key, and indexes of the unique keys. The rows are immutable, so a shallow copy is enough."""

    generations: dict[UUID, Generation] = field(default_factory=dict)
    idempotency_keys: dict[tuple[str, str], UUID] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    entries: dict[UUID, LedgerEntry] = field(default_factory=dict)
    entry_kinds: dict[tuple[UUID, EntryKind], UUID] = field(default_factory=dict)
    expired_grants: dict[UUID, UUID] = field(default_factory=dict)
    grant_keys: dict[tuple[str, str], UUID] = field(default_factory=dict)
    model_calls: dict[UUID, ModelCall] = field(default_factory=dict)
    installations: dict[int, Installation] = field(default_factory=dict)

    def copy(self) -> Self:
        """Return a copy that can be changed independently."""
        return type(self)(**{table.name: dict(getattr(self, table.name)) for table in fields(self)})


@dataclass(frozen=True, eq=False)
class Repository:
    """Base class of the repositories of one transaction, which changes `tables`."""

    tables: Tables


Row = TypeVar("Row", Generation, LedgerEntry)


def page(ordered: Iterable[Row], after: UUID | None, limit: int, *, descending: bool) -> list[Row]:
    """Return up to `limit` of the ordered rows, beginning after the id `after`."""

    def is_after(row: Row) -> bool:
        if after is None:
            return True
        return row.id < after if descending else row.id > after

    return [row for row in ordered if is_after(row)][:limit]
