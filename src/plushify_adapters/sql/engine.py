"""Engines for SQLite and PostgreSQL, set up so that a committed transaction survives a power cut.

A PostgreSQL server that goes silent stops no process: each wait for it has a deadline, and an overdue connection is
replaced.
"""

import math
import socket
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypedDict, TypeVar

import msgspec
from sqlalchemy import URL, AsyncAdaptedQueuePool, Connection, ExceptionContext, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plushify_adapters.sql._url import parse_url, translate_parameters

SERVER_SHARE = 0.9
"""Share of the deadline of a statement after which the server ends it.

The driver waits until the deadline, so it gives up the connection only if the server is silent.
"""

TRANSACTION_TIMEOUT_FACTOR = 3
"""Time after which the server ends a transaction, as a multiple of the deadline of a statement.

A connection can go silent between the two messages of one statement. The server waits for the second one, keeps the
locks of the transaction, and neither the timeout of a statement nor that of an idle transaction applies
(https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-TRANSACTION-TIMEOUT).
"""

TRANSACTION_TIMEOUT_VERSION = 17
"""First version of PostgreSQL that has a deadline for transactions."""

KEEPALIVE_IDLE_S = 30
KEEPALIVE_INTERVAL_S = 10
KEEPALIVE_COUNT = 3
"""TCP keepalive of both ends: probes after 30 idle seconds, and an end after 3 unanswered ones. The probes keep the
connection known to a NAT, and find an idle connection whose peer is gone."""


Default = TypeVar("Default", bound=float | None)


class EngineOptions(TypedDict, total=False):
    """Options of `create_engine`, for functions that pass them on."""

    pool_size: int
    pool_timeout_s: float
    connect_timeout_s: float
    statement_timeout_s: float | None
    busy_timeout_s: float
    idle_in_transaction_timeout_s: float


def create_engine(
    url: str | URL,
    *,
    pool_size: int = 10,
    pool_timeout_s: float = 10.0,
    connect_timeout_s: float = 5.0,
    statement_timeout_s: float | None = 10.0,
    busy_timeout_s: float = 10.0,
    idle_in_transaction_timeout_s: float = 10.0,
) -> AsyncEngine:
    """Return an engine for SQLite or PostgreSQL. It connects at its first use, and belongs to one event loop.

    Args:
        url: `sqlite:///file`, where an absolute path begins with a fourth slash, or
            `postgresql://user:password@host/name`, with the parameters that docs/database.md lists. For the path of a
            SQLite file use `sqlalchemy.URL.create("sqlite", database=path)`, which takes any character as it is.
        pool_size: largest number of connections to PostgreSQL. SQLite gets one, as `_sqlite` explains.
        pool_timeout_s: longest time that a transaction waits for a connection, in seconds.
        connect_timeout_s: longest time to connect to PostgreSQL, in seconds. `timeout` or `connect_timeout` in the URL
            replaces it.
        statement_timeout_s: longest time that PostgreSQL has for a statement or a commit, in seconds; None: no limit.
            `command_timeout` in the URL replaces it. A transaction has three times as long, from PostgreSQL 17 on.
        busy_timeout_s: longest time that a statement waits for a lock of another transaction, in seconds.
        idle_in_transaction_timeout_s: time without a statement after which PostgreSQL ends a transaction, in seconds.
            It limits how long a machine that has lost its network holds a lock.

    Raises:
        ValueError: the URL cannot be read, names another database or a SQLite database in memory, or has a parameter or
            a timeout that cannot be applied.
    """
    url = parse_url(url)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, pool_timeout_s=pool_timeout_s, busy_timeout_s=busy_timeout_s)
    url, connect_timeout_s = _timeout_of(url, "timeout", connect_timeout_s)
    url, connect_timeout_s = _timeout_of(url, "connect_timeout", connect_timeout_s)
    url, statement_timeout_s = _timeout_of(url, "command_timeout", statement_timeout_s)
    settings = {
        "lock_timeout": _milliseconds(busy_timeout_s),
        "idle_in_transaction_session_timeout": _milliseconds(idle_in_transaction_timeout_s),
        "statement_timeout": _milliseconds(SERVER_SHARE * (statement_timeout_s or 0)),  # 0: no limit
        # These have no effect on a Unix socket.
        "tcp_keepalives_idle": str(KEEPALIVE_IDLE_S),
        "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL_S),
        "tcp_keepalives_count": str(KEEPALIVE_COUNT),
    }
    engine = create_async_engine(
        url,
        connect_args={
            "timeout": connect_timeout_s,
            "command_timeout": statement_timeout_s,
            "server_settings": settings,
        },
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        **_COMMON,
    )
    event.listen(engine.sync_engine, "do_connect", translate_parameters)
    event.listen(engine.sync_engine, "connect", _keep_alive)
    if statement_timeout_s is not None:
        event.listen(
            engine.sync_engine, "connect", _limit_transactions(TRANSACTION_TIMEOUT_FACTOR * statement_timeout_s)
        )
    event.listen(engine.sync_engine, "checkout", _replace_if_closed)
    event.listen(engine.sync_engine, "handle_error", _give_up_if_overdue)
    event.listen(engine.sync_engine, "close", _close_without_waiting)
    return engine


def _timeout_of(url: URL, name: str, default_s: Default) -> tuple[URL, float | Default]:
    """Return the URL without its parameter `name`, and the timeout in seconds that it gives, else the default.

    Zero, which means "no limit" to other programs, gives the default too: no URL can switch a deadline off.

    Raises:
        ValueError: the parameter is not a number, or negative.
    """
    if name not in url.query:
        return url, default_s
    text = url.query[name]
    try:
        seconds = float(text) if isinstance(text, str) else math.nan
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name} of the database URL takes a number of seconds, 0 or more")
    return url.difference_update_query([name]), seconds or default_s


def _keep_alive(connection: DBAPIConnection, _record: Any) -> None:
    # asyncpg has no option for this, and its public API does not give access to the socket.
    sock = connection.driver_connection._transport.get_extra_info("socket")
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_COUNT),
    ):
        if hasattr(socket, name):  # systems differ in the options that they have
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _limit_transactions(timeout_s: float) -> Callable[[DBAPIConnection, Any], None]:
    """Return a listener that limits the time of each transaction of a new connection."""

    async def limit(driver: Any) -> None:
        if driver.get_server_version().major >= TRANSACTION_TIMEOUT_VERSION:
            await driver.execute(f"SET transaction_timeout = {_milliseconds(timeout_s)}")

    return lambda connection, _record: connection.run_async(limit)


def _give_up_if_overdue(context: ExceptionContext) -> None:
    """Close a connection whose answer is overdue, and mark the older ones, which are replaced before their next use.

    Raises:
        OperationalError: instead of the `TimeoutError` of the driver.
    """
    if not isinstance(context.original_exception, TimeoutError):
        return
    if context.connection is not None and not context.connection.invalidated:
        # Otherwise the rollback waits for the answer as well, for the time of a whole deadline.
        driver = context.connection.connection.driver_connection
        assert driver is not None
        driver.terminate()
    context.is_disconnect = context.invalidate_pool_on_disconnect = True
    overdue = TimeoutError("the database did not answer in time")
    raise OperationalError(context.statement, None, overdue, hide_parameters=True, connection_invalidated=True)


def _close_without_waiting(connection: DBAPIConnection, _record: Any) -> None:
    # A graceful close waits for the server. Only a transaction that was cancelled during a statement needs one, because
    # it cancels the statement; SQLAlchemy limits that to 2 seconds.
    driver = connection.driver_connection
    if not driver.is_closed() and not driver.is_in_transaction():
        driver.terminate()


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
