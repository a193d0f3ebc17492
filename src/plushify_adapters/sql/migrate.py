"""Migrations, which bring a database to the schema of this version, and say which versions can use its schema.

Two tables record the schema:

    schema_revision    the last applied migration
    alembic_version    the oldest migration whose code can use the schema: `compatible_with` of the last applied one

Code can use a schema that a newer version has migrated, if it knows the migration in `alembic_version`. Releases made
before `schema_revision` take `alembic_version` for the last applied migration: they can use the schema as long as it
names their own last migration.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from enum import Enum
from functools import cache

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    delete,
    insert,
    inspect,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from plushify_adapters.sql._tables import METADATA
from plushify_adapters.sql.engine import create_engine

ADVISORY_LOCK = 0x706C757368696679
"""Key of the PostgreSQL advisory lock that replicas wait for while one of them migrates: "plushify" in ASCII."""

LOCK_TIMEOUT_MS = 500
"""Longest wait of a migration for the tables per try. It is shorter than `deadlock_timeout` of PostgreSQL (1 s)."""

LOCK_ATTEMPTS = 60
"""Number of tries to lock the tables. A backup or another long transaction may prevent it for longer."""

LOCK_NOT_AVAILABLE = "55P03"
"""Source: https://www.postgresql.org/docs/current/errcodes-appendix.html"""

REVISION_TABLE = "schema_revision"

COMPATIBILITY = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


class SchemaState(Enum):
    """Schema of a database, compared with the one of this version. The value completes a sentence about a database."""

    EMPTY = "has no tables yet: run `plushify migrate` first"
    OLDER = "has the tables of an older version: run `plushify migrate` first"
    CURRENT = "has the tables of this version"
    NEWER_COMPATIBLE = "has the tables of a newer version, which this version can use"
    INCOMPATIBLE = "has the tables of a newer version, which this version cannot use: run the newer version"

    @property
    def is_empty(self) -> bool:
        """Whether the database has no tables yet."""
        return self is SchemaState.EMPTY

    @property
    def is_usable(self) -> bool:
        """Whether this version can use the database as it is."""
        return self in {SchemaState.CURRENT, SchemaState.NEWER_COMPATIBLE}


class SchemaError(Exception):
    """The schema of the database does not allow the operation. The message says what to do."""


class Migrations:
    """Migrations of one database.

    Args:
        database: an engine (`SqlStore.engine`), or a URL as `create_engine` takes it.
    """

    def __init__(self, database: AsyncEngine | str) -> None:
        self._database = database

    async def upgrade(self, revision: str = "head") -> None:
        """Apply the missing migrations up to `revision`, all in one transaction.

        Several replicas may call this concurrently: one applies the migrations, and the others wait for it. A schema
        that a newer version has migrated is left unchanged.

        Raises:
            SchemaError: this version cannot use the schema of a newer version; or a long transaction uses the tables.
        """
        async with self._patient_engine() as engine, engine.begin() as connection:
            await connection.run_sync(_upgrade, revision)

    async def downgrade(self, revision: str) -> None:
        """Revert the migrations after `revision`, all in one transaction. Columns and tables that they added are lost.

        Raises:
            SchemaError: `revision` is unknown, or not applied; or a newer version has migrated the database; or a
                long transaction uses the tables.
        """
        async with self._patient_engine() as engine, engine.begin() as connection:
            await connection.run_sync(_downgrade, revision)

    async def state(self) -> SchemaState:
        """Return how the schema of the database compares with the one of this version."""
        async with self._engine() as engine, engine.begin() as connection:
            return await connection.run_sync(_state)

    async def check(self) -> None:
        """Check that this version can use the schema of the database.

        Raises:
            SchemaError: it cannot.
        """
        state = await self.state()
        if not state.is_usable:
            raise SchemaError(f"it {state.value}")

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


def config(connection: Connection | None = None) -> Config:
    """Return the configuration of Alembic for this connection, without a file."""
    settings = Config()
    settings.set_main_option("script_location", "plushify_adapters.sql:migrations")
    settings.attributes["connection"] = connection
    return settings


@cache
def revisions() -> Mapping[str, str]:
    """Return `compatible_with` of each migration that this version knows, by revision, oldest first."""
    scripts = list(ScriptDirectory.from_config(config()).walk_revisions())
    return {script.revision: script.module.compatible_with for script in reversed(scripts)}


def record_compatibility(connection: Connection, applied: Collection[str]) -> None:
    """Record the oldest migration whose code can use the schema, after a migration was applied or reverted.

    Args:
        connection: connection of the migration, in its transaction.
        applied: the last applied migration; empty if there is none.
    """
    COMPATIBILITY.create(connection, checkfirst=True)
    connection.execute(delete(COMPATIBILITY))
    for revision in applied:
        connection.execute(insert(COMPATIBILITY).values(version_num=revisions()[revision]))


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # A replica waits for the migration of another one without a time limit.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    # SQLite needs no such lock: its transaction is immediate and so holds the only write lock.


def _lock_tables(connection: Connection) -> None:
    """Lock all tables at once, before the first of them is changed.

    Replicas of another version use the tables meanwhile, in any order. A migration that locked them one by one could
    deadlock with a transaction, and the database might cancel that one. So a try ends before the database looks for
    deadlocks, releases all locks, and lets the transactions that wait for them pass.
    """
    names = [name for name in METADATA.tables if inspect(connection).has_table(name)]
    if connection.dialect.name != "postgresql" or not names:
        return
    connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
    for _ in range(LOCK_ATTEMPTS):
        try:
            with connection.begin_nested():
                connection.execute(text(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE"))
            return
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": LOCK_TIMEOUT_MS / 1000})
    raise SchemaError("it cannot be migrated while a backup or another long transaction uses it: try again later")


def _upgrade(connection: Connection, revision: str) -> None:
    _lock(connection)
    state = _state(connection)
    if state is SchemaState.INCOMPATIBLE:
        raise SchemaError(f"it {state.value}")
    if state is SchemaState.NEWER_COMPATIBLE:
        return  # Alembic knows no way from a revision that it does not know
    if state is SchemaState.OLDER:
        _lock_tables(connection)
    _adopt(connection)
    command.upgrade(config(connection), revision)


def _downgrade(connection: Connection, revision: str) -> None:
    _lock(connection)
    current = _revision(connection)
    known = list(revisions())
    if current is not None and current not in known:
        raise SchemaError(f"it is at revision {current} of a newer version: downgrade it with that version")
    if current is None or revision not in known[: known.index(current) + 1]:
        raise SchemaError(f"it is at revision {current}, which does not follow {revision}")
    _lock_tables(connection)
    _adopt(connection)
    command.downgrade(config(connection), revision)


def _adopt(connection: Connection) -> None:
    """Record the last applied migration if an older release has applied it, which does not know `schema_revision`."""
    current = _revision(connection)
    if current is not None and current != _recorded(connection, REVISION_TABLE):
        command.stamp(config(connection), current, purge=True)


def _state(connection: Connection) -> SchemaState:
    current = _revision(connection)
    if current is None:
        return SchemaState.EMPTY
    if current in revisions():
        return SchemaState.CURRENT if current == list(revisions())[-1] else SchemaState.OLDER
    oldest = _recorded(connection, COMPATIBILITY.name)
    return SchemaState.NEWER_COMPATIBLE if oldest in revisions() else SchemaState.INCOMPATIBLE


def _revision(connection: Connection) -> str | None:
    """Return the last applied migration; None if there is none."""
    recorded, oldest = _recorded(connection, REVISION_TABLE), _recorded(connection, COMPATIBILITY.name)
    known = list(revisions())
    if recorded in known and oldest in known:
        # `oldest` is the later one only if an older release has migrated the database since.
        return max(recorded, oldest, key=known.index)
    return recorded or oldest


def _recorded(connection: Connection, table: str) -> str | None:
    return MigrationContext.configure(connection, opts={"version_table": table}).get_current_revision()
