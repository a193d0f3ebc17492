"""Generations in SQL."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Column, ColumnElement, Row, Select, and_, bindparam, delete, func, select, tuple_, update

from plushify_adapters.sql._statements import Repository, changes_one, insert_or_nothing
from plushify_adapters.sql._tables import GENERATIONS
from plushify_core import ports
from plushify_core.domain.generation import Generation, Status
from plushify_core.ports import GalleryFilter, Sort

_COLUMNS = GENERATIONS.c

# Statements that run for every generation are built once, because building one takes longer than executing it.
_IS_CURRENT = and_(
    _COLUMNS.id == bindparam("current_id"),
    _COLUMNS.status == bindparam("current_status"),
    _COLUMNS.fence == bindparam("current_fence"),
)
_REPLACE = update(GENERATIONS).where(_IS_CURRENT)
_REMOVE = delete(GENERATIONS).where(_IS_CURRENT)
_BY_ID = select(GENERATIONS).where(_COLUMNS.id == bindparam("id"))
_BY_KEY = select(GENERATIONS).where(
    _COLUMNS.user_id == bindparam("user_id"), _COLUMNS.idempotency_key == bindparam("key")
)
_COUNT = select(func.count()).select_from(GENERATIONS)
# Only pending and running generations have a lease.
_COUNT_UNFINISHED = _COUNT.where(_COLUMNS.user_id == bindparam("user_id"), _COLUMNS.lease_until.is_not(None))


class SqlGenerations(Repository, ports.Generations):
    """Repository of generations. `abandoned`, `untidy` and `expired_trash` lock the rows that they return."""

    async def add(self, generation: Generation) -> bool:
        values = msgspec.structs.asdict(generation)
        return await insert_or_nothing(self.connection, GENERATIONS, values, "user_id", "idempotency_key")

    async def get(self, generation_id: UUID) -> Generation | None:
        return await self._one(_BY_ID, {"id": generation_id})

    async def by_idempotency_key(self, user_id: str, key: str) -> Generation | None:
        return await self._one(_BY_KEY, {"user_id": user_id, "key": key})

    async def replace(self, current: Generation, changed: Generation) -> bool:
        """Replace `current` by `changed`, as a compare-and-set.

        In READ COMMITTED, an update that has waited for the lock of a row evaluates its condition again on the row that
        the other transaction left. Of two updates that race, the second finds another status or fence.
        """
        return await changes_one(self.connection, _REPLACE, msgspec.structs.asdict(changed) | _identity(current))

    async def remove(self, current: Generation) -> bool:
        return await changes_one(self.connection, _REMOVE, _identity(current))

    async def page(
        self, user_id: str, filter: GalleryFilter, *, after: UUID | None, limit: int
    ) -> Sequence[Generation]:
        newest = filter.sort is Sort.NEWEST
        query = select(GENERATIONS).where(_in_gallery(user_id, filter)).limit(limit)
        if after is not None:
            query = query.where(_COLUMNS.id < after if newest else _COLUMNS.id > after)
        return await self._all(query.order_by(_COLUMNS.id.desc() if newest else _COLUMNS.id))

    async def count(self, user_id: str, filter: GalleryFilter) -> int:
        return await self._count(_COUNT.where(_in_gallery(user_id, filter)), {})

    async def count_unfinished(self, user_id: str) -> int:
        return await self._count(_COUNT_UNFINISHED, {"user_id": user_id})

    async def renew(self, fences: Mapping[UUID, int], lease_until: datetime) -> Collection[UUID]:
        held = tuple_(_COLUMNS.id, _COLUMNS.fence).in_(fences.items())
        return await self._set_lease(and_(_COLUMNS.status == Status.RUNNING, held), lease_until)

    async def release(self, generation_ids: Collection[UUID], now: datetime) -> None:
        reclaimed = and_(_COLUMNS.id.in_(generation_ids), _COLUMNS.status == Status.PENDING, _COLUMNS.fence > 0)
        await self._set_lease(reclaimed, now)

    async def abandoned(self, now: datetime, *, limit: int) -> Sequence[Generation]:
        return await self._select_and_lock(_COLUMNS.lease_until <= now, _COLUMNS.lease_until, limit)

    async def untidy(self, since_before: datetime, *, limit: int) -> Sequence[Generation]:
        untidy = and_(_COLUMNS.untidy_since <= since_before, _COLUMNS.deleted_at.is_(None))
        return await self._select_and_lock(untidy, _COLUMNS.untidy_since, limit)

    async def expired_trash(self, deleted_before: datetime, *, limit: int) -> Sequence[Generation]:
        return await self._select_and_lock(_COLUMNS.deleted_at <= deleted_before, _COLUMNS.deleted_at, limit)

    async def _one(self, query: Select[*tuple[Any, ...]], parameters: dict[str, Any]) -> Generation | None:
        row = (await self.connection.execute(query, parameters)).one_or_none()
        return None if row is None else to_generation(row)

    async def _all(self, query: Select[*tuple[Any, ...]]) -> Sequence[Generation]:
        return [to_generation(row) for row in await self.connection.execute(query)]

    async def _select_and_lock(
        self, condition: ColumnElement[bool], since: Column[Any], limit: int
    ) -> Sequence[Generation]:
        # SQLite ignores FOR UPDATE, and does not need it: it runs one writing transaction at a time.
        query = select(GENERATIONS).where(condition).order_by(since, _COLUMNS.id).limit(limit)
        return await self._all(query.with_for_update(skip_locked=True))

    async def _set_lease(self, condition: ColumnElement[bool], lease_until: datetime) -> Collection[UUID]:
        # Locked rows are skipped. Otherwise a process that hangs while it settles one generation would block the
        # renewal of the leases of the others.
        unlocked = select(_COLUMNS.id).where(condition).with_for_update(skip_locked=True)
        statement = update(GENERATIONS).where(_COLUMNS.id.in_(unlocked)).values(lease_until=lease_until)
        renewed = await self.connection.execute(statement.returning(_COLUMNS.id))
        return [row.id for row in renewed]

    async def _count(self, query: Select[int], parameters: dict[str, Any]) -> int:
        return (await self.connection.execute(query, parameters)).scalar_one()


def _identity(current: Generation) -> dict[str, Any]:
    return {"current_id": current.id, "current_status": current.status, "current_fence": current.fence}


def _in_gallery(user_id: str, filter: GalleryFilter) -> ColumnElement[bool]:
    conditions = [_COLUMNS.user_id == user_id, _COLUMNS.deleted_at.is_(None)]
    if filter.style is not None:
        conditions.append(_COLUMNS.style == filter.style)
    if filter.quality is not None:
        conditions.append(_COLUMNS.quality == filter.quality)
    return and_(*conditions)


def to_generation(row: Row[*tuple[Any, ...]]) -> Generation:
    """Return the generation of a row of `GENERATIONS`."""
    return Generation(**row._mapping)
