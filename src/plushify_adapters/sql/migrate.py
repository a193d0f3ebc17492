"""Bringing a database to the tables this version of the code expects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from plushify_adapters.sql.engine import create_engine

ADVISORY_LOCK = 0x706C757368696679
"""What replicas that start at once queue for on PostgreSQL: "plushify" in ASCII."""


async def upgrade(database: AsyncEngine | str, revision: str = "head") -> None:
    """Carry out the migrations that the database has not seen, all of them or none.

    Any number of replicas may do so at once: one does the work, the others wait for it and find it done.

    Args:
        database: an engine (`SqlStore.engine`), or a URL.
        revision: how far.
    """
    async with _engine(database) as engine, engine.begin() as connection:
        await connection.run_sync(_upgrade, revision)


async def check(database: AsyncEngine | str) -> bool:
    """Whether the database has exactly the tables of this version: neither older nor newer ones."""
    async with _engine(database) as engine, engine.begin() as connection:
        return await connection.run_sync(_is_current)


def config(connection: Connection) -> Config:
    """Alembic's configuration for this connection, without a file."""
    settings = Config()
    settings.set_main_option("script_location", "plushify_adapters.sql:migrations")
    settings.attributes["connection"] = connection
    return settings


def _upgrade(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        # Whoever waits for another replica's migration waits as long as that takes.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    # SQLite needs no more: its transaction is immediate, so it holds the only write lock already.
    command.upgrade(config(connection), revision)


def _is_current(connection: Connection) -> bool:
    expected = ScriptDirectory.from_config(config(connection)).get_heads()
    return set(MigrationContext.configure(connection).get_current_heads()) == set(expected)


@asynccontextmanager
async def _engine(database: AsyncEngine | str) -> AsyncIterator[AsyncEngine]:
    if isinstance(database, AsyncEngine):
        yield database
        return
    engine = create_engine(database)
    try:
        yield engine
    finally:
        await engine.dispose()
