"""Generations in memory."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from plushify_adapters.memory._tables import Repository, page
from plushify_core import ports
from plushify_core.domain.generation import Generation, Status
from plushify_core.ports import GalleryFilter, Sort


class MemoryGenerations(Repository, ports.Generations):
    """Repository of generations."""

    async def add(self, generation: Generation) -> bool:
        if generation.idempotency_key is not None:
            key = (generation.user_id, generation.idempotency_key)
            if key in self.tables.idempotency_keys:
                return False
            self.tables.idempotency_keys[key] = generation.id
        self.tables.generations[generation.id] = generation
        return True

    async def get(self, generation_id: UUID) -> Generation | None:
        return self.tables.generations.get(generation_id)

    async def by_idempotency_key(self, user_id: str, key: str) -> Generation | None:
        generation_id = self.tables.idempotency_keys.get((user_id, key))
        return None if generation_id is None else self.tables.generations[generation_id]

    async def replace(self, current: Generation, changed: Generation) -> bool:
        if not self._is_current(current):
            return False
        self.tables.generations[current.id] = changed
        return True

    async def remove(self, current: Generation) -> bool:
        if not self._is_current(current):
            return False
        del self.tables.generations[current.id]
        if current.idempotency_key is not None:
            del self.tables.idempotency_keys[current.user_id, current.idempotency_key]
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
        return sum(found.user_id == user_id and not found.finished for found in self.tables.generations.values())

    async def renew(self, fences: Mapping[UUID, int], lease_until: datetime) -> Collection[UUID]:
        held = [
            found
            for generation_id, fence in fences.items()
            if (found := self.tables.generations.get(generation_id)) is not None
            if (found.status, found.fence) == (Status.RUNNING, fence)
        ]
        return self._set_lease(held, lease_until)

    async def release(self, generation_ids: Collection[UUID], now: datetime) -> None:
        reclaimed = [
            found
            for generation_id in generation_ids
            if (found := self.tables.generations.get(generation_id)) is not None
            if found.status is Status.PENDING and found.fence > 0
        ]
        self._set_lease(reclaimed, now)

    async def abandoned(self, now: datetime, *, limit: int) -> Sequence[Generation]:
        return self._oldest(lambda found: found.lease_until, until=now, limit=limit)

    async def untidy(self, since_before: datetime, *, limit: int) -> Sequence[Generation]:
        def untidy_since(found: Generation) -> datetime | None:
            return found.untidy_since if found.deleted_at is None else None

        return self._oldest(untidy_since, until=since_before, limit=limit)

    async def expired_trash(self, deleted_before: datetime, *, limit: int) -> Sequence[Generation]:
        return self._oldest(lambda found: found.deleted_at, until=deleted_before, limit=limit)

    def _set_lease(self, generations: Sequence[Generation], lease_until: datetime) -> Collection[UUID]:
        for found in generations:
            self.tables.generations[found.id] = msgspec.structs.replace(found, lease_until=lease_until)
        return [found.id for found in generations]

    def _oldest(
        self, time_of: Callable[[Generation], datetime | None], *, until: datetime, limit: int
    ) -> Sequence[Generation]:
        """Return up to `limit` generations whose time is set and not after `until`, earliest first."""
        due = [
            (time, found.id)
            for found in self.tables.generations.values()
            if (time := time_of(found)) is not None and time <= until
        ]
        return [self.tables.generations[generation_id] for _, generation_id in sorted(due)[:limit]]

    def _is_current(self, current: Generation) -> bool:
        stored = self.tables.generations.get(current.id)
        return stored is not None and (stored.status, stored.fence) == (current.status, current.fence)

    def _matching(self, user_id: str, filter: GalleryFilter) -> list[Generation]:
        return [
            found
            for found in self.tables.generations.values()
            if found.user_id == user_id
            and found.deleted_at is None
            and filter.style in (None, found.style)
            and filter.quality in (None, found.quality)
        ]
