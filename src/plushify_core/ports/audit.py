"""An auditor's view of the store."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.generation import Generation
from plushify_core.model_call import ModelCall


class Imbalance(msgspec.Struct, frozen=True, kw_only=True):
    """A user whose cached balance is not the sum of their entries. Both in credits."""

    user_id: str
    balance: int
    entries: int


class Audit(Protocol):
    """What an auditor reads, within one transaction: everybody's, in pages."""

    async def imbalances(self, *, after: str | None, limit: int) -> Sequence[Imbalance]:
        """Up to `limit` of them, ordered by user id, beginning behind `after`."""
        ...

    async def recount(self, user_id: str) -> None:
        """Set the user's cached balance to the sum of their entries."""
        ...

    async def scan(self, *, after: UUID | None, limit: int) -> Sequence[Generation]:
        """Up to `limit` of all generations, in the trash or not, ordered by id, beginning behind `after`."""
        ...

    async def find(self, generation_ids: Sequence[UUID]) -> Sequence[Generation]:
        """Those of these generations that exist, in any order."""
        ...

    async def entry_sums(self, generation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """The sum of the entries of each of these generations, in credits. One without entries may be left out."""
        ...

    async def open_calls(self, started_before: datetime, *, after: UUID | None, limit: int) -> Sequence[ModelCall]:
        """Up to `limit` of the model calls started before that time that have no outcome, ordered by
        generation id, beginning behind `after`."""
        ...
