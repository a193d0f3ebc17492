"""What the repositories share: statements that both databases know, under names of their own."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import Insert, Table, UpdateBase
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_INSERTS: dict[str, Callable[[Table], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


@cache
def _insert_or_nothing(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    insert = _INSERTS[dialect](table).on_conflict_do_nothing(index_elements=unique)
    return insert.execution_options(preserve_rowcount=True)


class Repository:
    """Some of the tables, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def _insert_or_nothing(self, table: Table, values: Mapping[str, Any], *unique: str) -> bool:
        """Insert a row, unless there is one with the same values of the columns `unique`: whether it did.

        If a transaction still open has inserted such a row, this waits to see whether it commits.
        """
        return await self._changes_one(_insert_or_nothing(self._connection.dialect.name, table, unique), values)

    async def _changes_one(self, statement: UpdateBase, parameters: Mapping[str, Any]) -> bool:
        """Execute an insert, update or delete of one row: whether it did anything."""
        result = await self._connection.execute(statement, parameters)
        return result.rowcount == 1
