"""Migrations, which bring a database to the schema of this version."""

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
"""Key of the PostgreSQL advisory lock that replicas wait for while one of them migrates: "plushify" in ASCII."""


class Migrations:
    """Migrations of one database.

    Args:
        database: an engine (`SqlStore.engine`), or a URL as `create_engine` takes it.
    """

    def __init__(self, database: AsyncEngine | str) -> None:
        self._database = database

    async def upgrade(self, revision: str = "head") -> None:
        """Apply the missing migrations up to `revision`, all in one transaction.

        Several replicas may call this concurrently: one applies the migrations, and the others wait for it.
        """
        async with self._patient_engine() as engine, engine.begin() as connection:
            await connection.run_sync(_upgrade, revision)

    async def is_current(self) -> bool:
        """Return whether the database has exactly the schema of this version."""
        async with self._engine() as engine, engine.begin() as connection:
            return await connection.run_sync(_is_current)

    @asynccontextmanager
    async def _patient_engine(self) -> AsyncIterator[AsyncEngine]:
        """Yield an engine without a limit for a statement: one of a migration may take long, or wait for a replica."""
        if isinstance(self._database, AsyncEngine) and self._database.dialect.name != "postgresql":
            yield self._database
            return
        url = self._database.url if isinstance(self._database, AsyncEngine) else self._database
        engine = create_engine(url, pool_size=1, statement_timeout_s=None)
        try:
            yield engine
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[AsyncEngine]:
        if isinstance(self._database, AsyncEngine):
            yield self._database
            return
        engine = create_engine(self._database)
        try:
            yield engine
        finally:
            await engine.dispose()


def config(connection: Connection) -> Config:
    """Return the configuration of Alembic for this connection, without a file."""
    settings = Config()
    settings.set_main_option("script_location", "plushify_adapters.sql:migrations")
    settings.attributes["connection"] = connection
    return settings


def _upgrade(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        # A replica waits for the migration of another one without a time limit.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    # SQLite needs no such lock: its transaction is immediate and so holds the only write lock.
    command.upgrade(config(connection), revision)


def _is_current(connection: Connection) -> bool:
    expected = ScriptDirectory.from_config(config(connection)).get_heads()
    return set(MigrationContext.configure(connection).get_current_heads()) == set(expected)
