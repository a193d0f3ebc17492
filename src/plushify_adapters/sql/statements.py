"""What the repositories share: statements that both databases know, under names of their own."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Table, UpdateBase
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_INSERTS: dict[str, Callable[[Table], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


class Repository:
    """Some of the tables, within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def _insert_or_nothing(self, table: Table, values: Mapping[str, Any], *unique: str) -> bool:
        """Insert a row, unless there is one with the same values of the columns `unique`: whether it did.

        If a transaction still open has inserted such a row, this waits to see whether it commits.
        """
        insert = _INSERTS[self._connection.dialect.name](table).on_conflict_do_nothing(index_elements=unique)
        result = await self._connection.execute(insert.execution_options(preserve_rowcount=True), values)
        return result.rowcount == 1

    async def _changes_one(self, statement: UpdateBase) -> bool:
        """Execute an update or delete: whether it found its row."""
        result = await self._connection.execute(statement)
        return result.rowcount == 1
