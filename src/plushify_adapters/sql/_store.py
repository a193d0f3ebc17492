"""SQL store.

READ COMMITTED, the default of PostgreSQL, is enough isolation. One statement keeps each promise of the contract: an
insert that does nothing if its unique key exists, or an update whose condition is the compare-and-set or the balance.
Such a statement waits for the lock of the row, and then evaluates its condition on the row that the other transaction
left. The daily spending limit is a sum over many rows, so an advisory lock makes the transactions that check it run one
after the other.

Transactions cannot deadlock, because all of them take their locks in one order:

1. the advisory lock of the daily spending limit, which only dispatches take
2. the idempotency key of a new generation, which only submissions lock
3. generations: one of them, or a batch that skips locked rows and so waits for none (`abandoned`, `untidy`,
   `expired_trash`, `renew`, `release`)
4. subscriptions: one of them, several in the order of their user ids (a sweep of `abandoned`, the audit), or a batch
   that skips locked rows (`expiring`)
5. a model call, whose generation is locked already or which is the last lock of the transaction, or several in the
   order of their ids (the audit)

There is one exception: a submission that adds a new subscription locks it (4) before the idempotency key (2). No other
transaction can see that row yet. A second submission of the same user waits for it before it holds any lock.

SQLite has a single write lock, which a transaction takes at its start.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Unpack

from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plushify_adapters.sql._audit import SqlAudit
from plushify_adapters.sql._credits import SqlCredits
from plushify_adapters.sql._generations import SqlGenerations
from plushify_adapters.sql._installations import SqlInstallations
from plushify_adapters.sql._model_calls import SqlModelCalls
from plushify_adapters.sql.engine import EngineOptions, create_engine
from plushify_core import ports
from plushify_core.ports import Clock, utc_now

_DATABASE_TIME = text("SELECT clock_timestamp()")

CLOSE_TIMEOUT_S = 2.0
"""Longest time to close the connections, in seconds. Only SQLite on a disk that hangs needs more."""


class SqlStore(ports.Store):
    """Store on SQLite or PostgreSQL. `migrate.Migrations` creates its tables. It connects at its first use.

    Args:
        url: URL of the database, as `engine.create_engine` describes it.
        clock: time of the store on SQLite, which serves one machine. PostgreSQL has its own clock.
        options: options of `engine.create_engine`.
    """

    def __init__(self, url: str | URL, *, clock: Clock = utc_now, **options: Unpack[EngineOptions]) -> None:
        self._clock = clock
        self.engine: AsyncEngine = create_engine(url, **options)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[ports.Transaction]:
        # If the block is cancelled while a statement runs, the connection is closed, which rolls the transaction back.
        async with self.engine.begin() as connection:
            yield SqlTransaction(connection, self._clock)

    async def aclose(self) -> None:
        """Close all connections. A database that does not answer is not waited for longer than `CLOSE_TIMEOUT_S`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.engine.dispose()


@dataclass(eq=False)
class SqlTransaction(ports.Transaction):
    """Transaction that is open on `connection`. `clock` is the time on SQLite."""

    connection: AsyncConnection
    clock: Clock = utc_now
    _now: datetime | None = field(init=False, default=None)

    async def now(self) -> datetime:
        if self._now is None:
            self._now = await self._read_time()
        return self._now

    @property
    def generations(self) -> SqlGenerations:
        return SqlGenerations(self.connection)

    @property
    def credits(self) -> SqlCredits:
        return SqlCredits(self.connection)

    @property
    def model_calls(self) -> SqlModelCalls:
        return SqlModelCalls(self.connection)

    @property
    def audit(self) -> SqlAudit:
        return SqlAudit(self.connection)

    @property
    def installations(self) -> SqlInstallations:
        return SqlInstallations(self.connection)

    async def _read_time(self) -> datetime:
        if self.connection.dialect.name == "sqlite":
            return self.clock()
        read: datetime = (await self.connection.execute(_DATABASE_TIME)).scalar_one()
        return read.astimezone(UTC)
