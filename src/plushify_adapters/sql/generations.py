"""The generations, in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Column, ColumnElement, Row, Select, and_, bindparam, delete, func, select, update

from plushify_adapters.sql.statements import Repository, changes_one, insert_or_nothing
from plushify_adapters.sql.tables import GENERATIONS
from plushify_core import ports
from plushify_core.domain.generation import Generation
from plushify_core.ports import GalleryFilter, Sort

COLUMNS = GENERATIONS.c

# What every generation needs is built once: that takes longer than to execute it.
_STANDS = and_(
    COLUMNS.id == bindparam("current_id"),
    COLUMNS.status == bindparam("current_status"),
    COLUMNS.fence == bindparam("current_fence"),
)
_REPLACE = update(GENERATIONS).where(_STANDS)
_REMOVE = delete(GENERATIONS).where(_STANDS)
_BY_ID = select(GENERATIONS).where(COLUMNS.id == bindparam("id"))
_BY_KEY = select(GENERATIONS).where(
    COLUMNS.user_id == bindparam("user_id"), COLUMNS.idempotency_key == bindparam("key")
)
_COUNT = select(func.count()).select_from(GENERATIONS)
# Pending and running generations have a lease, and no others.
_COUNT_UNFINISHED = _COUNT.where(COLUMNS.user_id == bindparam("user_id"), COLUMNS.lease_until.is_not(None))


class SqlGenerations(Repository, ports.Generations):
    """Generations by id, key, page and lease."""

    async def add(self, generation: Generation) -> bool:
        """Add a new one, unless its user has used its idempotency key already."""
        values = msgspec.structs.asdict(generation)
        return await insert_or_nothing(self._connection, GENERATIONS, values, "user_id", "idempotency_key")

    async def get(self, generation_id: UUID) -> Generation | None:
        """The generation with this id."""
        return await self._one(_BY_ID, {"id": generation_id})

    async def by_idempotency_key(self, user_id: str, key: str) -> Generation | None:
        """The user's generation with this key."""
        return await self._one(_BY_KEY, {"user_id": user_id, "key": key})

    async def replace(self, current: Generation, changed: Generation) -> bool:
        """Put `changed` in place of `current`, if that still stands.

        In READ COMMITTED an update that has waited for a row's lock looks at its condition again, on the row
        as the other transaction left it: of two that race, the second finds another status or fence.
        """
        return await changes_one(self._connection, _REPLACE, msgspec.structs.asdict(changed) | _identity(current))

    async def remove(self, current: Generation) -> bool:
        """Remove the row, if `current` still stands."""
        return await changes_one(self._connection, _REMOVE, _identity(current))

    async def page(
        self, user_id: str, filter: GalleryFilter, *, after: UUID | None, limit: int
    ) -> Sequence[Generation]:
        """One page of the gallery, by keyset."""
        newest = filter.sort is Sort.NEWEST
        query = select(GENERATIONS).where(_in_gallery(user_id, filter)).limit(limit)
        if after is not None:
            query = query.where(COLUMNS.id < after if newest else COLUMNS.id > after)
        return await self._all(query.order_by(COLUMNS.id.desc() if newest else COLUMNS.id))

    async def count(self, user_id: str, filter: GalleryFilter) -> int:
        """How many the gallery shows."""
        return await self._count(_COUNT.where(_in_gallery(user_id, filter)), {})

    async def count_unfinished(self, user_id: str) -> int:
        """How many of the user's are pending or running."""
        return await self._count(_COUNT_UNFINISHED, {"user_id": user_id})

    async def abandoned(self, now: datetime, *, limit: int) -> Sequence[Generation]:
        """Those whose lease is over, longest first, and locked."""
        return await self._claim(COLUMNS.lease_until <= now, COLUMNS.lease_until, limit)

    async def untidy(self, since_before: datetime, *, limit: int) -> Sequence[Generation]:
        """Those that may have blobs they do not name, longest first, and locked."""
        untidy = and_(COLUMNS.untidy_since <= since_before, COLUMNS.deleted_at.is_(None))
        return await self._claim(untidy, COLUMNS.untidy_since, limit)

    async def expired_trash(self, deleted_before: datetime, *, limit: int) -> Sequence[Generation]:
        """Those deleted long enough ago, longest first, and locked."""
        return await self._claim(COLUMNS.deleted_at <= deleted_before, COLUMNS.deleted_at, limit)

    async def _one(self, query: Select[*tuple[Any, ...]], parameters: dict[str, Any]) -> Generation | None:
        row = (await self._connection.execute(query, parameters)).one_or_none()
        return None if row is None else generation_from(row)

    async def _all(self, query: Select[*tuple[Any, ...]]) -> Sequence[Generation]:
        return [generation_from(row) for row in await self._connection.execute(query)]

    async def _claim(self, condition: ColumnElement[bool], since: Column[Any], limit: int) -> Sequence[Generation]:
        # SQLite has no FOR UPDATE and needs none: nobody else writes until this transaction ends.
        query = select(GENERATIONS).where(condition).order_by(since, COLUMNS.id).limit(limit)
        return await self._all(query.with_for_update(skip_locked=True))

    async def _count(self, query: Select[int], parameters: dict[str, Any]) -> int:
        return (await self._connection.execute(query, parameters)).scalar_one()


def _identity(current: Generation) -> dict[str, Any]:
    return {"current_id": current.id, "current_status": current.status, "current_fence": current.fence}


def _in_gallery(user_id: str, filter: GalleryFilter) -> ColumnElement[bool]:
    conditions = [COLUMNS.user_id == user_id, COLUMNS.deleted_at.is_(None)]
    if filter.style is not None:
        conditions.append(COLUMNS.style == filter.style)
    if filter.quality is not None:
        conditions.append(COLUMNS.quality == filter.quality)
    return and_(*conditions)


def generation_from(row: Row[*tuple[Any, ...]]) -> Generation:
    """The generation in a row of its table."""
    return Generation(**row._mapping)
