"""PostgreSQL that neither answers nor refuses: every transaction ends within its deadline, and later ones succeed."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

from plushify_adapters.conformance.store.entities import entry
from plushify_adapters.conformance.store.suite import balance_of, open_account
from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryImageCodec, MemoryImageModel
from plushify_adapters.sql import SqlStore
from plushify_adapters.sql._store import CLOSE_TIMEOUT_S
from plushify_adapters.sql.engine import TRANSACTION_TIMEOUT_FACTOR, create_engine
from plushify_adapters.sql.migrate import Migrations
from plushify_core import Limits, Plushify, Status, utc_now
from tests import invariants
from tests.adapters.postgres import PostgresServer
from tests.adapters.silent_proxy import SilentProxy, silent_proxy

pytestmark = pytest.mark.anyio

TIMEOUT_S = 1.5
"""Deadline of each statement, each new connection and each wait for the pool."""

ONE_DEADLINE_S = TIMEOUT_S + 1.2
"""Time in which a transaction must end that waits for one silent answer. A busy machine takes a little longer."""

PHOTO = b"P6\n4 3\n255\n" + bytes(range(36))


class Setup(NamedTuple):
    """A store behind a proxy, and an operator with a connection of their own to the same database."""

    proxy: SilentProxy
    store: SqlStore
    operator: SqlStore


@pytest.fixture
async def setup(postgres: PostgresServer) -> AsyncIterator[Setup]:
    """Yield a store behind a proxy, with two connections that have been used."""
    url = postgres.new_database()
    operator = SqlStore(url)
    await Migrations(operator.engine).upgrade()
    async with silent_proxy(url) as (proxy, through):
        store = SqlStore(
            through,
            pool_size=2,
            pool_timeout_s=TIMEOUT_S,
            connect_timeout_s=TIMEOUT_S,
            statement_timeout_s=TIMEOUT_S,
            # Until then, the server keeps the locks of a client that has gone without a notice.
            idle_in_transaction_timeout_s=TIMEOUT_S,
        )
        await open_account(store, 10)
        await asyncio.gather(*(nap(store, 0.05) for _ in range(2)))
        yield Setup(proxy, store, operator)
        await asyncio.wait_for(store.aclose(), TIMEOUT_S)
    await operator.aclose()


async def nap(store: SqlStore, seconds: float) -> None:
    """Keep a connection busy."""
    async with store.engine.begin() as connection:
        await connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


async def spend(store: SqlStore) -> None:
    """Spend one credit."""
    async with store.begin() as tx:
        await tx.credits.post(entry(-1))


async def fails_within(limit_s: float, work: Callable[[], Awaitable[object]]) -> None:
    """Check that `work` fails before `limit_s`, and by itself."""
    began = asyncio.get_running_loop().time()
    with pytest.raises((DBAPIError, TimeoutError)):
        await asyncio.wait_for(work(), 60)
    assert asyncio.get_running_loop().time() - began < limit_s


async def test_a_transaction_fails_at_its_deadline_and_the_next_ones_succeed(setup: Setup) -> None:
    """The first transaction on a silent connection fails at the deadline, and every later one on a new connection."""
    proxy, store, _ = setup
    proxy.silence()
    accepted = proxy.accepted
    await fails_within(ONE_DEADLINE_S, lambda: spend(store))
    async with asyncio.timeout(10):
        await spend(store)
        await spend(store)
        assert await balance_of(store) == 8
    assert proxy.accepted > accepted


async def test_silence_in_the_middle_of_a_transaction(setup: Setup) -> None:
    """A transaction whose connection goes silent between two statements fails at the deadline, and changes nothing."""
    proxy, store, _ = setup

    async def consume_twice() -> None:
        async with store.begin() as tx:
            await tx.credits.post(entry(-1))
            proxy.silence()
            await tx.credits.post(entry(-1))

    await fails_within(ONE_DEADLINE_S, consume_twice)
    assert await balance_of(store) == 10


async def test_all_connections_silent(setup: Setup) -> None:
    """If all connections go silent under load, the store works again within one deadline."""
    proxy, store, _ = setup
    napping = [asyncio.create_task(nap(store, 30)) for _ in range(2)]
    await asyncio.sleep(0.1)
    proxy.silence()
    began = asyncio.get_running_loop().time()
    waiting = [asyncio.create_task(balance_of(store)) for _ in range(5)]
    await asyncio.wait(napping + waiting)
    assert asyncio.get_running_loop().time() - began < ONE_DEADLINE_S
    async with asyncio.timeout(10):
        assert await asyncio.gather(*(balance_of(store) for _ in range(5))) == [10] * 5
    for task in napping + waiting:
        task.exception()


async def test_silence_of_new_connections(setup: Setup) -> None:
    """If new connections are silent too, each transaction fails at its deadline until the silence ends."""
    proxy, store, _ = setup
    proxy.silence(new_too=True)
    await fails_within(ONE_DEADLINE_S, lambda: spend(store))
    for _ in range(2):
        await fails_within(ONE_DEADLINE_S, lambda: spend(store))
    proxy.recover()
    async with asyncio.timeout(10):
        await spend(store)
        assert await balance_of(store) == 9


async def test_silence_at_the_commit(setup: Setup) -> None:
    """A commit without an answer fails at the deadline. Whether it was applied is seen on a new connection."""
    proxy, store, operator = setup
    proxy.silence_at(b"COMMIT;")
    await fails_within(ONE_DEADLINE_S, lambda: spend(store))
    async with asyncio.timeout(10):
        assert await balance_of(store) == await balance_of(operator) == 9


async def test_cancellation_during_silence(setup: Setup) -> None:
    """A transaction that is cancelled during the silence ends soon, and its connection is replaced."""
    proxy, store, _ = setup
    proxy.silence()
    spending = asyncio.create_task(spend(store))
    await asyncio.sleep(0.1)
    spending.cancel()
    _, pending = await asyncio.wait({spending}, timeout=2.5)
    assert not pending


async def test_silence_within_a_statement(setup: Setup) -> None:
    """If a connection goes silent between two messages of one statement, the server frees the locks at a deadline."""
    proxy, store, operator = setup

    async def spend_and_ask() -> None:
        async with store.begin() as tx:
            await tx.credits.post(entry(-1))
            proxy.silence_at(b"SELECT 'unanswered'")
            await tx.connection.execute(text("SELECT 'unanswered'"))

    await fails_within(ONE_DEADLINE_S, spend_and_ask)
    async with asyncio.timeout(TRANSACTION_TIMEOUT_FACTOR * TIMEOUT_S):
        await spend(operator)
    assert await balance_of(operator) == 9


async def test_closes_silent_connections_at_once(setup: Setup) -> None:
    """`aclose` does not wait for silent connections. The fixture has a limit for that."""
    setup.proxy.silence(new_too=True)


async def test_a_slow_statement_is_ended_by_the_server(setup: Setup) -> None:
    """The server ends a statement at its deadline, and the connection stays in use."""
    proxy, store, _ = setup
    accepted = proxy.accepted
    await fails_within(ONE_DEADLINE_S, lambda: nap(store, 30))
    assert await balance_of(store) == 10
    assert proxy.accepted == accepted


async def test_generations_and_sweeps_go_on(setup: Setup) -> None:
    """While all connections go silent again and again, generations end, sweeps go on, and nothing is lost."""
    proxy, store, operator = setup
    blobs = MemoryBlobStore()
    limits = Limits(
        free_credits=20,
        max_in_flight_per_user=20,
        timeout_s=3,
        lease_s=3,
        pending_lease_s=2,
        sweep_interval_s=0.2,
        drain_s=5,
    )

    def service(store: SqlStore) -> Plushify:
        return Plushify(
            store=store,
            blobs=blobs,
            codec=MemoryImageCodec(),
            model=MemoryImageModel(),
            events=MemoryEvents(),
            clock=utc_now,
            limits=limits,
        )

    plushify = service(store)
    swept = asyncio.Event()

    async def note_sweep() -> None:
        await plushify.sweeper.sweep_leases()
        swept.set()

    async def submit() -> None:
        generation = await plushify.generate.submit("eve", PHOTO, style="classic", quality="standard")
        plushify.runner.start(generation.id, user_id="eve")

    outcomes: list[BaseException | None] = []
    async with plushify.running(note_sweep):
        for _ in range(3):
            outcomes += await asyncio.gather(*(submit() for _ in range(3)), return_exceptions=True)
            proxy.silence()
            outcomes += await asyncio.gather(*(submit() for _ in range(2)), return_exceptions=True)
            swept.clear()
            async with asyncio.timeout(30):  # after a failure, a sweeper waits for its check and for one lease
                await swept.wait()
        await asyncio.sleep(limits.timeout_s)
    assert any(outcome is None for outcome in outcomes)

    after = service(operator)
    async with asyncio.timeout(60):  # the last leases expire
        books = await invariants.read(operator, blobs, ["eve"])
        while not all(generation.finished for generation in books.generations.values()):
            await asyncio.sleep(0.2)
            for reclaimed in (await after.recover.sweep()).to_run:
                await after.generate.run(reclaimed)
            books = await invariants.read(operator, blobs, ["eve"])
    assert [*invariants.violations(books)] == []
    assert any(generation.status is Status.SUCCEEDED for generation in books.generations.values())


async def test_keeps_idle_connections_alive(setup: Setup) -> None:
    """Both ends of a TCP connection send keepalive probes, so that no NAT forgets it and a dead peer is noticed."""
    async with setup.store.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        client = driver._transport.get_extra_info("socket")
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 120


async def test_the_url_replaces_the_timeouts(setup: Setup) -> None:
    """`command_timeout` in the URL replaces the option, for the driver and for the server."""
    url = setup.store.engine.url.update_query_dict({"command_timeout": "0.5", "timeout": "4"})
    store = SqlStore(url, statement_timeout_s=60)
    async with store.engine.begin() as connection:
        assert (await connection.execute(text("SHOW statement_timeout"))).scalar_one() == "450ms"
    setup.proxy.silence()
    await fails_within(1.4, lambda: spend(store))
    await store.aclose()


async def test_no_url_switches_a_deadline_off(setup: Setup) -> None:
    """A timeout of 0 in the URL, which means "no limit" to other programs, leaves the option as it is."""
    zero = {"command_timeout": "0", "timeout": "0", "connect_timeout": "0"}
    store = SqlStore(setup.store.engine.url.update_query_dict(zero), statement_timeout_s=TIMEOUT_S)
    async with store.engine.begin() as connection:
        assert (await connection.execute(text("SHOW statement_timeout"))).scalar_one() == "1350ms"
    setup.proxy.silence()
    await fails_within(ONE_DEADLINE_S, lambda: spend(store))
    await store.aclose()


@pytest.mark.parametrize(
    "query", ["command_timeout=-1", "command_timeout=soon", "timeout=nan", "connect_timeout=inf", "timeout=1&timeout=2"]
)
def test_refuses_a_timeout_that_is_not_a_time(query: str) -> None:
    """A timeout in the URL that is not a time, or would switch the deadline off, is refused."""
    name = query.partition("=")[0]
    with pytest.raises(ValueError, match=name):
        create_engine(f"postgresql://host/name?{query}")


async def test_a_migration_has_no_deadline(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration may take longer than the deadline of a statement, and may wait for that of another replica."""

    def slow(connection: Connection, _revision: str) -> None:
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": 1.5 * TIMEOUT_S})

    monkeypatch.setattr("plushify_adapters.sql.migrate._upgrade", slow)
    await Migrations(setup.store.engine).upgrade()


async def test_closes_a_database_on_a_disk_that_hangs(sqlite_url: str) -> None:
    """`aclose` ends although a statement of SQLite hangs, which nothing can interrupt."""
    store = SqlStore(sqlite_url)
    gate, reached = threading.Event(), threading.Event()

    def hang() -> int:
        reached.set()
        gate.wait()
        return 1

    @event.listens_for(store.engine.sync_engine, "connect")
    def add_hang(connection: Any, _: object) -> None:
        connection.create_function("hang", 0, hang)

    async def select() -> None:
        async with store.engine.begin() as connection:
            await connection.execute(text("SELECT hang()"))

    selecting = asyncio.create_task(select())
    await asyncio.to_thread(reached.wait)
    selecting.cancel()
    async with asyncio.timeout(CLOSE_TIMEOUT_S + 1):
        await store.aclose()
    gate.set()
    await asyncio.wait({selecting})
