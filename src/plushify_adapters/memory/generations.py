"""The generations, in memory."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from plushify_adapters.memory.tables import Repository, page
from plushify_core import ports
from plushify_core.domain.generation import Generation
from plushify_core.ports import GalleryFilter, Sort


class MemoryGenerations(Repository, ports.Generations):
    """The generations, in memory."""

    async def add(self, generation: Generation) -> bool:
        if generation.idempotency_key is not None:
            key = (generation.user_id, generation.idempotency_key)
            if key in self._tables.idempotency_keys:
                return False
            self._tables.idempotency_keys[key] = generation.id
        self._tables.generations[generation.id] = generation
        return True

    async def get(self, generation_id: UUID) -> Generation | None:
        return self._tables.generations.get(generation_id)

    async def by_idempotency_key(self, user_id: str, key: str) -> Generation | None:
        generation_id = self._tables.idempotency_keys.get((user_id, key))
        return None if generation_id is None else self._tables.generations[generation_id]

    async def replace(self, current: Generation, changed: Generation) -> bool:
        if not self._stands(current):
            return False
        self._tables.generations[current.id] = changed
        return True

    async def remove(self, current: Generation) -> bool:
        if not self._stands(current):
            return False
        del self._tables.generations[current.id]
        if current.idempotency_key is not None:
            del self._tables.idempotency_keys[current.user_id, current.idempotency_key]
        return True

    async def page(
        self, user_id: str, filter: GalleryFilter, *, after: UUID | None, limit: int
    ) -> Sequence[Generation]:
        newest = filter.sort is Sort.NEWEST
        ordered = sorted(self._matching(user_id, filter), key=lambda found: found.id, reverse=newest)
        return page(ordered, after, limit, descending=newest)

    async def count(self, user_id: str, filter: GalleryFilter) -> int:
        return len(self._matching(user_id, filter))

    async def count_unfinished(self, user_id: str) -> int:
        return sum(found.user_id == user_id and not found.finished for found in self._tables.generations.values())

    async def abandoned(self, now: datetime, *, limit: int) -> Sequence[Generation]:
        overdue = [
            (found.lease_until, found.id, found)
            for found in self._tables.generations.values()
            if found.lease_until is not None and found.lease_until <= now
        ]
        return [found for _, _, found in sorted(overdue, key=lambda row: row[:2])[:limit]]

    async def untidy(self, since_before: datetime, *, limit: int) -> Sequence[Generation]:
        untidy = [
            (found.untidy_since, found.id, found)
            for found in self._tables.generations.values()
            if found.untidy_since is not None and found.untidy_since <= since_before and found.deleted_at is None
        ]
        return [found for _, _, found in sorted(untidy, key=lambda row: row[:2])[:limit]]

    async def expired_trash(self, deleted_before: datetime, *, limit: int) -> Sequence[Generation]:
        expired = [
            (found.deleted_at, found.id, found)
            for found in self._tables.generations.values()
            if found.deleted_at is not None and found.deleted_at <= deleted_before
        ]
        return [found for _, _, found in sorted(expired, key=lambda row: row[:2])[:limit]]

    def _stands(self, current: Generation) -> bool:
        stored = self._tables.generations.get(current.id)
        return stored is not None and (stored.status, stored.fence) == (current.status, current.fence)

    def _matching(self, user_id: str, filter: GalleryFilter) -> list[Generation]:
        return [
            found
            for found in self._tables.generations.values()
            if found.user_id == user_id
            and found.deleted_at is None
            and filter.style in (None, found.style)
            and filter.quality in (None, found.quality)
        ]
