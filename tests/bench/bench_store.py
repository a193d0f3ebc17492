"""Benchmark of the SQL store: the overhead of `SqlStore` over the bare database driver.

Each round runs generations from submission to settlement through `SqlStore` and records every statement. Then it
executes the same statements with the same parameters in the same transactions through the bare driver, on another
database. Both wait for the disk at each commit.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiosqlite
import asyncpg
from sqlalchemy import event, make_url

from plushify_adapters.conformance.store.entities import NOW, image, pending
from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.migrate import Migrations
from plushify_core.domain.limits import Limits
from plushify_core.domain.model_call import Billing, ModelFacts, Outcome
from plushify_core.use_cases._ledger_postings import LedgerPostings
from plushify_core.use_cases._outcomes import OutcomeRecorder
from tests.adapters.postgres import PostgresServer
from tests.in_memory import Ids

ROUNDS = 5
GENERATIONS_PER_ROUND = 60

Script = list[list[tuple[str, Any]]]
"""Transactions, each a list of statements with their parameters."""

Replay = Callable[[str, Script], Coroutine[Any, Any, float]]


async def submit_and_settle(store: SqlStore, outcomes: OutcomeRecorder) -> None:
    """Do what the use cases do with the store for one generation, in three transactions."""
    submitted = pending(fingerprint="0" * 64)
    async with store.begin() as tx:
        await outcomes.postings.ensure_subscription(tx, submitted.user_id)
        await tx.generations.add(submitted)
        await outcomes.postings.charge(tx, submitted)
        await tx.generations.count_unfinished(submitted.user_id)
    async with store.begin() as tx:
        await tx.generations.get(submitted.id)
        running = submitted.dispatch(NOW)
        await tx.generations.replace(submitted, running)
        await outcomes.open_call(tx, running, "maker/model")
    async with store.begin() as tx:
        done = running.succeed(at=NOW, generated=image("a"), thumbnail=image("b"), placeholder="data:,")
        await tx.generations.replace(running, done)
        facts = ModelFacts(model="maker/model", cost_nano_usd=39_000_000)
        await outcomes.close_call(tx, running, Outcome.SUCCEEDED, billing=Billing.BILLED, facts=facts)


async def through_the_store(store: SqlStore, outcomes: OutcomeRecorder) -> tuple[float, Script]:
    """Run one round through the store. Return its duration in seconds, and the executed statements."""
    script: Script = [[]]

    def commit(_connection: Any) -> None:
        script.append([])

    def execute(*details: Any) -> None:
        statement, parameters = details[2:4]
        script[-1].append((statement, parameters))

    engine = store.engine.sync_engine
    listeners = (("before_cursor_execute", execute), ("commit", commit))
    for name, listener in listeners:
        event.listen(engine, name, listener)
    started = time.perf_counter()
    for _ in range(GENERATIONS_PER_ROUND):
        await submit_and_settle(store, outcomes)
    seconds = time.perf_counter() - started
    for name, listener in listeners:
        event.remove(engine, name, listener)
    return seconds, script[:-1]


async def through_aiosqlite(url: str, script: Script) -> float:
    """Execute the statements through aiosqlite, and return the duration in seconds."""
    path = make_url(url).database
    assert path is not None
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await connection.execute("PRAGMA synchronous = FULL")
        started = time.perf_counter()
        for transaction in script:
            for statement, parameters in transaction:
                await connection.execute_fetchall(statement, parameters)
            await connection.commit()
        return time.perf_counter() - started


async def through_asyncpg(url: str, script: Script) -> float:
    """Execute the statements through asyncpg, and return the duration in seconds."""
    connection = await asyncpg.connect(url)
    started = time.perf_counter()
    for transaction in script:
        async with connection.transaction():
            for statement, parameters in transaction:
                await connection.fetch(statement, *parameters)
    seconds = time.perf_counter() - started
    await connection.close()
    return seconds


async def compare(name: str, url: str, bare_url: str, replay: Replay) -> str:
    """Return the line of the report for one database."""
    store, bare = SqlStore(url), SqlStore(bare_url)
    postings = LedgerPostings(new_id=Ids(lambda: NOW), limits=Limits(free_credits=1_000_000))
    outcomes = OutcomeRecorder(postings=postings)
    for database in (store, bare):
        await Migrations(database.engine).upgrade()
    await bare.aclose()
    ours = theirs = 0.0
    for _ in range(ROUNDS):
        seconds, script = await through_the_store(store, outcomes)
        ours += seconds
        theirs += await replay(bare_url, script)
    await store.aclose()
    generations = ROUNDS * GENERATIONS_PER_ROUND
    return (
        f"submit + settle on {name}: {generations / ours:.0f}/s, "
        f"{theirs / ours:.2f} × the speed of the same statements through {replay.__name__.removeprefix('through_')} "
        f"({generations / theirs:.0f}/s)"
    )


async def compare_all() -> None:
    """Print one line per database."""
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = (f"sqlite:///{Path(folder) / name}.db" for name in ("ours", "bare"))
        print(await compare("SQLite", ours, bare, through_aiosqlite))
    with PostgresServer(durable=True) as server:
        print(await compare("PostgreSQL", server.new_database(), server.new_database(), through_asyncpg))


def main() -> None:
    """Print one line per database."""
    asyncio.run(compare_all())


if __name__ == "__main__":
    main()
