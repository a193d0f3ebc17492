"""Statements that SQLite and PostgreSQL spell differently, and the base class of the repositories."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
def _insert(dialect: str, table: Table, unique: tuple[str, ...]) -> Insert:
    insert = _INSERTS[dialect](table).on_conflict_do_nothing(index_elements=unique)
    return insert.execution_options(preserve_rowcount=True)


async def insert_or_nothing(connection: AsyncConnection, table: Table, values: Mapping[str, Any], *unique: str) -> bool:
    """Insert a row unless a row with the same values of the columns `unique` exists. Return whether it was inserted.

    If another open transaction has inserted such a row, this waits until that transaction ends.
    """
    return await changes_one(connection, _insert(connection.dialect.name, table, unique), values)


async def changes_one(connection: AsyncConnection, statement: UpdateBase, parameters: Mapping[str, Any]) -> bool:
    """Execute an insert, update or delete of one row. Return whether a row was changed."""
    result = await connection.execute(statement, parameters)
    return result.rowcount == 1


@dataclass(frozen=True, eq=False)
class Repository:
    """Base class of the repositories of one transaction, which is the one open on `connection`."""

    connection: AsyncConnection
