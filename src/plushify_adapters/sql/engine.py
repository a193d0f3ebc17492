"""Connections to a database, set up so that what is committed stays committed."""

from typing import Any

import msgspec
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


def create_engine(
    url: str | URL,
    *,
    pool_size: int = 10,
    pool_timeout_s: float = 30.0,
    busy_timeout_s: float = 10.0,
    idle_in_transaction_timeout_s: float = 30.0,
) -> AsyncEngine:
    """An engine for SQLite or PostgreSQL; it connects when it is first used, and belongs to one event loop.

    Args:
        url: `sqlite:///file`, an absolute path after four slashes, or `postgresql://user:password@host/name`.
        pool_size: connections to PostgreSQL at a time. SQLite gets one, see `_sqlite`.
        pool_timeout_s: how long a transaction waits for a connection, in seconds.
        busy_timeout_s: how long a statement waits for another transaction's lock, in seconds.
        idle_in_transaction_timeout_s: after how many seconds without a statement PostgreSQL ends a transaction:
            a machine that lost its network holds no lock for longer.

    Raises:
        ValueError: the URL names neither, or a database that ends with its connection.
    """
    url = make_url(url)
    backend = url.get_backend_name()
    if backend not in DRIVERS:
        raise ValueError(f"the database URL names {backend}: Plushify knows {' and '.join(DRIVERS)}")
    url = url.set(drivername=DRIVERS[backend])
    if backend == "sqlite":
        return _sqlite(url, pool_timeout_s=pool_timeout_s, busy_timeout_s=busy_timeout_s)
    settings = {
        "lock_timeout": _milliseconds(busy_timeout_s),
        "idle_in_transaction_session_timeout": _milliseconds(idle_in_transaction_timeout_s),
    }
    engine = create_async_engine(
        url,
        connect_args={"server_settings": settings},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        **_COMMON,
    )
    event.listen(engine.sync_engine, "checkout", _replace_if_closed)
    return engine


def _replace_if_closed(connection: DBAPIConnection, *_: Any) -> None:
    # The driver hears at once when the server ends a connection. To ask the server (`pool_pre_ping`) would take
    # three more round trips for each transaction, and hang where the network is gone.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _sqlite(url: URL, *, pool_timeout_s: float, busy_timeout_s: float) -> AsyncEngine:
    """One connection: SQLite runs one writing transaction at a time, and a queue in this process is fair and
    wakes the next at once, where SQLite's own busy handler polls. It is left to wait for other processes."""
    if not url.database or url.database == ":memory:" or "mode" in url.query:
        raise ValueError("a SQLite database in memory is lost with its connection: name a file, or use MemoryStore")
    engine = create_async_engine(
        url,
        connect_args={"timeout": busy_timeout_s, "isolation_level": None},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        **_COMMON,
    )
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL syncs the write-ahead log at each commit: a credit once committed survives a power cut. NORMAL would
    # sync at checkpoints only, and lose the last commits (https://sqlite.org/pragma.html#pragma_synchronous).
    # macOS needs F_FULLFSYNC for a sync that reaches the disk; elsewhere that setting changes nothing.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A transaction that begins with a read and then writes cannot wait: SQLite fails it at once if another has
    # written meanwhile. So each takes the write lock first. The driver's own BEGIN, which is deferred, is
    # switched off by `isolation_level=None`.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_COMMON: dict[str, Any] = {
    "json_serializer": _to_json,
    "json_deserializer": msgspec.json.decode,
    # Errors are logged. What a statement was given may be an email address or the hash of a password.
    "hide_parameters": True,
}
