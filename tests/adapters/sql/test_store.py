"""What only a store on SQL can be asked."""

import asyncio
from contextlib import aclosing
from typing import Any

import msgspec
import pytest
from sqlalchemy import Table, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from plushify_adapters.conformance.store.entities import NOW, entry, new_id, pending
from plushify_adapters.conformance.store.suite import balance_of, open_account
from plushify_adapters.sql import SqlAccountStore, SqlStore
from plushify_adapters.sql.migrate import Migrations
from plushify_adapters.sql.tables import GENERATIONS, LEDGER_ENTRIES, MODEL_CALLS, SESSIONS, SUBSCRIPTIONS, USERS
from plushify_core.domain.generation import Generation
from plushify_core.domain.ledger import LedgerEntry, Subscription
from plushify_core.domain.model_call import ModelCall, ModelFacts
from plushify_core.ports import GalleryFilter, Imbalance
from plushify_core.ports.accounts import Session, User

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        (GENERATIONS, Generation.__struct_fields__),
        (SUBSCRIPTIONS, Subscription.__struct_fields__),
        (LEDGER_ENTRIES, LedgerEntry.__struct_fields__),
        (USERS, User.__struct_fields__),
        (SESSIONS, Session.__struct_fields__),
        (MODEL_CALLS, {*ModelCall.__struct_fields__, *ModelFacts.__struct_fields__} - {"facts"}),
    ],
)
def test_has_a_column_per_field(table: Table, fields: set[str]) -> None:
    """A table has a column for each field of its entity, and no other."""
    assert set(table.columns.keys()) == set(fields)


async def test_refuses_a_time_without_a_zone(store: SqlStore) -> None:
    """A naive time is a mistake of the program, and is not stored as if it were UTC."""
    with pytest.raises(Exception, match="no time zone"):
        async with store.begin() as tx:
            await tx.generations.add(pending(created_at=NOW.replace(tzinfo=None)))


async def test_is_guarded_by_the_database_itself(store: SqlStore) -> None:
    """Whatever writes to the tables: no balance below zero, no entry without a subscription."""
    await open_account(store, 1)
    with pytest.raises(IntegrityError, match="balance_not_negative"):
        async with store.engine.begin() as connection:
            await connection.execute(SUBSCRIPTIONS.update().values(balance=-1))
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        async with store.engine.begin() as connection:
            await connection.execute(LEDGER_ENTRIES.insert(), msgspec.structs.asdict(entry(1, "nobody")))


async def test_finds_and_mends_imbalances(store: SqlStore) -> None:
    """A balance that was changed past the port is found, in the order of the bytes of the user ids, page by page,
    and set right by a recount."""
    users = ["Bob", "ann", "bob", "cid", "Élodie"]
    for user in users:
        await open_account(store, 3, user)
    async with store.engine.begin() as connection:
        await connection.execute(SUBSCRIPTIONS.update().where(SUBSCRIPTIONS.c.user_id != "bob").values(balance=5))
    expected = [Imbalance(user_id=user, balance=5, entries=3) for user in users if user != "bob"]
    async with store.begin() as tx:
        first = await tx.audit.imbalances(after=None, limit=2)
        second = await tx.audit.imbalances(after=first[-1].user_id, limit=9)
        assert [*first, *second] == expected
        for found in expected:
            await tx.audit.recount(found.user_id)
        assert await tx.audit.imbalances(after=None, limit=9) == []
    assert [await balance_of(store, user) for user in users] == [3] * 5


async def test_keeps_the_books_among_replicas(url: str, store: SqlStore) -> None:
    """Stores with connections of their own, as in several processes, wait for each other."""
    await open_account(store, 30)
    replicas = [SqlStore(url) for _ in range(3)]

    async def consume(replica: SqlStore) -> bool:
        async with replica.begin() as tx:
            await tx.credits.subscription("ann")  # a read first: SQLite fails it if it then has to write
            return await tx.credits.post(entry(-1))

    await asyncio.gather(*(consume(replica) for replica in replicas for _ in range(10)))
    assert await balance_of(store) == 0
    for replica in replicas:
        await replica.aclose()


async def test_waits_no_longer_than_it_is_told(url: str, store: SqlStore) -> None:
    """A transaction that another keeps waiting beyond the limit fails, having changed nothing."""
    await open_account(store, 3)
    impatient = SqlStore(url, busy_timeout_s=0.05)
    async with store.begin() as tx:
        await tx.credits.post(entry(-1))
        with pytest.raises(Exception, match=r"lock timeout|database is locked"):
            async with impatient.begin() as other:
                await other.credits.post(entry(-1))
    await impatient.aclose()
    assert await balance_of(store) == 2


async def test_finds_every_row_by_an_index(sqlite_url: str) -> None:
    """No query of a use case reads a whole table, or sorts what an index has in order."""
    store = SqlStore(sqlite_url)
    await Migrations(store.engine).upgrade()
    statements: list[tuple[str, Any]] = []

    def remember(*details: Any) -> None:
        statements.append((details[2], details[3]))

    event.listen(store.engine.sync_engine, "before_cursor_execute", remember)
    row = pending(idempotency_key="k")
    async with store.begin() as tx:
        await tx.credits.open(Subscription(user_id="ann", plan="free", balance=0, created_at=NOW))
        await tx.credits.post(entry(5))
        await tx.generations.add(row)
        await tx.generations.by_idempotency_key("ann", "k")
        await tx.generations.replace(row, row.dispatch(NOW))
        await tx.generations.page("ann", GalleryFilter(style="kawaii"), after=new_id(), limit=9)
        await tx.generations.count("ann", GalleryFilter())
        await tx.generations.count_unfinished("ann")
        await tx.generations.abandoned(NOW, limit=9)
        await tx.generations.expired_trash(NOW, limit=9)
        await tx.credits.entries("ann", after=new_id(), limit=9)
        await tx.credits.expiring(NOW, limit=9)
        await tx.model_calls.get(row.id)
        await tx.model_calls.cost_since(NOW)
        await tx.model_calls.costs(NOW, NOW)
        await tx.audit.scan(after=row.id, limit=9)
        await tx.audit.find([row.id])
        await tx.audit.entry_sums([row.id])
    accounts = SqlAccountStore(store.engine)
    await accounts.by_email("ann@example.com")
    await accounts.session("ab")
    await accounts.remove_expired_sessions(NOW)
    event.remove(store.engine.sync_engine, "before_cursor_execute", remember)

    async with store.engine.begin() as connection:
        for statement, parameters in statements[1:]:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [step.detail for step in plan]
            assert [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE FOR ORDER" in step] == [], (
                statement
            )
    await store.aclose()


class TestOnPostgres:
    """What PostgreSQL can do and SQLite cannot."""

    @pytest.fixture(params=["postgresql"])
    def url(self, request: pytest.FixtureRequest) -> str:
        """A new database."""
        new: str = request.getfixturevalue("postgres").new_database()
        return new

    async def test_leaves_out_what_another_sweep_holds(self, store: SqlStore) -> None:
        """Two sweeps that are open at the same time get different rows, and neither waits."""
        async with store.begin() as tx:
            for _ in range(5):
                await tx.generations.add(pending(lease_until=NOW))
        async with store.begin() as first, store.begin() as second:
            held = await first.generations.abandoned(NOW, limit=3)
            others = await second.generations.abandoned(NOW, limit=3)
        assert [len(held), len(others)] == [3, 2]
        assert len({generation.id for generation in (*held, *others)}) == 5

    async def test_survives_the_loss_of_its_connections(self, store: SqlStore) -> None:
        """A connection that died in the pool is replaced unseen; one that dies in a transaction rolls it back."""
        await open_account(store, 3)
        async with aclosing(SqlStore(store.engine.url)) as operator:

            async def cut_all_others() -> None:
                async with operator.engine.begin() as connection:
                    others = "datname = current_database() AND pid <> pg_backend_pid()"
                    terminate = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
                    await connection.execute(text(terminate))

            async def consume_twice() -> None:
                async with store.begin() as tx:
                    await tx.credits.post(entry(-1))
                    await cut_all_others()
                    await tx.credits.post(entry(-1))

            gone = asyncio.Event()
            async with store.engine.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                driver.add_termination_listener(lambda _: gone.set())
            await cut_all_others()
            await gone.wait()
            assert await balance_of(store) == 3
            with pytest.raises(DBAPIError):
                await consume_twice()
            assert await balance_of(store) == 3
