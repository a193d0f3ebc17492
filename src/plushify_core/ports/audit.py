"""Audit: reads the whole store in pages to find inconsistencies."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.domain.generation import Generation
from plushify_core.domain.model_call import ModelCall


class Imbalance(msgspec.Struct, frozen=True, kw_only=True):
    """User whose cached balance differs from the sum of their ledger entries, both in credits."""

    user_id: str
    balance: int
    entries: int


class Audit(Protocol):
    """Reader of the data of all users, in pages, within one transaction."""

    async def imbalances(self, *, after: str | None, limit: int) -> Sequence[Imbalance]:
        """Return up to `limit` imbalances after the user id `after`, ordered by user id."""
        ...

    async def recount(self, user_id: str) -> None:
        """Set the cached balance of the user to the sum of their entries."""
        ...

    async def scan(self, *, after: UUID | None, limit: int) -> Sequence[Generation]:
        """Return up to `limit` generations after the id `after`, ordered by id, including those in the trash."""
        ...

    async def find(self, generation_ids: Sequence[UUID]) -> Sequence[Generation]:
        """Return the generations with these ids that exist, in any order."""
        ...

    async def entry_sums(self, generation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the sum of the ledger entries of each generation, in credits.

        A generation without entries may be absent.
        """
        ...

    async def open_calls(self, started_before: datetime, *, after: UUID | None, limit: int) -> Sequence[ModelCall]:
        """Return up to `limit` model calls without an outcome that started before `started_before`.

        They are ordered by generation id and begin after the generation id `after`.
        """
        ...
