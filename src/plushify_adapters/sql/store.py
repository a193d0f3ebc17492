"""The store on SQL.

Nothing here asks for more isolation than READ COMMITTED, PostgreSQL's default. What the contract promises rests
on single statements: an insert that a unique key turns into nothing, an update whose condition is the
compare-and-set or the balance. Each waits for the row's lock and then judges the row as it was left.

No two transactions wait for each other in a circle, because all of them lock in one order:

1. the idempotency key of a new generation (a submission; nobody else waits for it or takes it)
2. generations: one, or a batch that skips what others hold and so waits for none (`abandoned`)
3. subscriptions: one; several in the order of their users (a sweep of `abandoned`, the audit); or a batch that
   skips what others hold (`expiring`)
4. the model call of a generation that is locked already, or nothing after it

A submission that opens the subscription holds 3 before 1, of a row that nobody else can see: a second one of the
same user waits for it at once, with nothing in its hands. SQLite has one lock, taken first.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plushify_adapters.sql.audit import SqlAudit
from plushify_adapters.sql.credits import SqlCredits
from plushify_adapters.sql.engine import create_engine
from plushify_adapters.sql.generations import SqlGenerations
from plushify_adapters.sql.model_calls import SqlModelCalls
from plushify_core import ports


class SqlStore(ports.Store):
    """A store on SQLite or PostgreSQL, whose tables `migrate.upgrade` has made.

    Arguments are those of `engine.create_engine`. It connects when it is first used.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        pool_size: int = 10,
        pool_timeout_s: float = 30.0,
        busy_timeout_s: float = 10.0,
        idle_in_transaction_timeout_s: float = 30.0,
    ) -> None:
        self.engine: AsyncEngine = create_engine(
            url,
            pool_size=pool_size,
            pool_timeout_s=pool_timeout_s,
            busy_timeout_s=busy_timeout_s,
            idle_in_transaction_timeout_s=idle_in_transaction_timeout_s,
        )

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[ports.Transaction]:
        """A transaction. If it is cancelled while a statement runs, its connection is given up with it. A
        cancellation that meets the commit may come too late to prevent it."""
        async with self.engine.begin() as connection:
            yield SqlTransaction(connection)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.engine.dispose()


class SqlTransaction(ports.Transaction):
    """What can be done within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    @property
    def generations(self) -> SqlGenerations:
        """The generations."""
        return SqlGenerations(self._connection)

    @property
    def credits(self) -> SqlCredits:
        """Subscriptions and the ledger."""
        return SqlCredits(self._connection)

    @property
    def model_calls(self) -> SqlModelCalls:
        """The record of paid calls."""
        return SqlModelCalls(self._connection)

    @property
    def audit(self) -> SqlAudit:
        """What an auditor reads."""
        return SqlAudit(self._connection)
