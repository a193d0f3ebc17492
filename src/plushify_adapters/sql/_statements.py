"""Statements that SQLite and PostgreSQL spell differently, and the base class of the repositories."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Insert, Table, TextClause, UpdateBase
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

_INSERTS: dict[str, Callable[[Table], postgresql.Insert | sqlite.Insert]] = {
    "postgresql": postgresql.insert,
    "sqlite": sqlite.insert,
}


@cache
def _insert(dialect: str, table: Table, unique: tuple[str, ...], where: TextClause | None) -> Insert:
    insert = _INSERTS[dialect](table).on_conflict_do_nothing(index_elements=unique, index_where=where)
    return insert.execution_options(preserve_rowcount=True)


async def insert_or_nothing(
    connection: AsyncConnection,
    table: Table,
    values: Mapping[str, Any],
    *unique: str,
    where: TextClause | None = None,
) -> bool:
    """Insert a row unless a row with the same values of the columns `unique` exists. Return whether it was inserted.

    `where` is the condition of the unique index, if it is a partial one.

    If another open transaction has inserted such a row, this waits until that transaction ends.
    """
    return await changes_one(connection, _insert(connection.dialect.name, table, unique, where), values)


async def changes_one(connection: AsyncConnection, statement: UpdateBase, parameters: Mapping[str, Any]) -> bool:
    """Execute an insert, update or delete of one row. Return whether a row was changed."""
    result = await connection.execute(statement, parameters)
    return result.rowcount == 1


@dataclass(frozen=True, eq=False)
class Repository:
    """Base class of the repositories of one transaction, which is the one open on `connection`."""

    connection: AsyncConnection
