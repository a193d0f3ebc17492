"""Engines for SQLite and PostgreSQL, set up so that a committed transaction survives a power cut."""

import sqlite3
from collections.abc import Sequence
from typing import Any, TypedDict

import msgspec
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plushify_adapters.sql._url import parse_url, translate_parameters


class EngineOptions(TypedDict, total=False):
    """Options of `create_engine`, for functions that pass them on."""

    pool_size: int
    pool_timeout_s: float
    busy_timeout_s: float
    idle_in_transaction_timeout_s: float


def create_engine(
    url: str | URL,
    *,
    pool_size: int = 10,
    pool_timeout_s: float = 30.0,
    busy_timeout_s: float = 10.0,
    idle_in_transaction_timeout_s: float = 30.0,
) -> AsyncEngine:
    """Return an engine for SQLite or PostgreSQL. It connects at its first use, and belongs to one event loop.

    Args:
        url: `sqlite:///file`, where an absolute path begins with a fourth slash, or
            `postgresql://user:password@host/name`, with the parameters that docs/database.md lists. For the path of a
            SQLite file use `sqlalchemy.URL.create("sqlite", database=path)`, which takes any character as it is.
        pool_size: largest number of connections to PostgreSQL. SQLite gets one, as `_sqlite` explains.
        pool_timeout_s: longest time that a transaction waits for a connection, in seconds.
        busy_timeout_s: longest time that a statement waits for a lock of another transaction, in seconds.
        idle_in_transaction_timeout_s: time without a statement after which PostgreSQL ends a transaction, in seconds.
            It limits how long a machine that has lost its network holds a lock.

    Raises:
        ValueError: the URL cannot be read, names another database or a SQLite database in memory, or has a parameter
            that cannot be applied.
    """
    url = parse_url(url)
    if url.get_backend_name() == "sqlite":
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
    event.listen(engine.sync_engine, "do_connect", translate_parameters)
    event.listen(engine.sync_engine, "checkout", _replace_if_closed)
    return engine


def _replace_if_closed(connection: DBAPIConnection, *_: Any) -> None:
    # The driver notices at once that the server has closed a connection. `pool_pre_ping` would add three round trips to
    # each transaction, and would hang if the network is down.
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _sqlite(url: URL, *, pool_timeout_s: float, busy_timeout_s: float) -> AsyncEngine:
    """Return an engine with one connection.

    SQLite runs one writing transaction at a time. Within this process, transactions queue for the connection, which is
    fair and wakes the next one at once. SQLite's busy handler polls, and waits only for other processes.
    """
    engine = create_async_engine(
        url,
        connect_args={"timeout": busy_timeout_s, "isolation_level": None},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        **_COMMON,
    )
    event.listen(engine.sync_engine, "do_connect", _open_once)
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _open_once(_dialect: Any, _record: Any, arguments: Sequence[Any], _parameters: Any) -> None:
    # The thread of aiosqlite outlives a failed attempt to open a file, and prints a traceback if it then finds that the
    # event loop has ended. So the attempt without a thread comes first.
    try:
        sqlite3.connect(arguments[0]).close()
    except sqlite3.Error as error:
        raise sqlite3.OperationalError(f"{error}: {arguments[0]}") from error


def _set_up_sqlite(connection: DBAPIConnection, _record: Any) -> None:
    cursor = connection.cursor()
    # FULL syncs the write-ahead log at each commit. NORMAL syncs only at checkpoints, so a power cut loses the last
    # commits (https://sqlite.org/pragma.html#pragma_synchronous). `fullfsync` uses F_FULLFSYNC on macOS, where a plain
    # fsync does not reach the disk, and has no effect elsewhere.
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = ON", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # If a transaction reads first and writes later, SQLite fails the write at once when another transaction has written
    # in between. So each transaction takes the write lock at its start. `isolation_level=None` switches off the
    # driver's own BEGIN, which is deferred.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _to_json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_COMMON: dict[str, Any] = {
    "json_serializer": _to_json,
    "json_deserializer": msgspec.json.decode,
    # Errors are logged, and parameters can be email addresses or password hashes.
    "hide_parameters": True,
}
