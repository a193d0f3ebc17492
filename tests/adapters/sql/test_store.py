"""Properties of the SQL store that the contract does not cover."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Table, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from plushify_adapters.conformance.store.entities import NOW, entry, new_id, pending, running
from plushify_adapters.conformance.store.suite import balance_of, open_account
from plushify_adapters.sql import SqlAccountStore, SqlStore
from plushify_adapters.sql._tables import GENERATIONS, LEDGER_ENTRIES, MODEL_CALLS, SESSIONS, SUBSCRIPTIONS, USERS
from plushify_adapters.sql.migrate import Migrations
from plushify_core.domain.errors import Reason
from plushify_core.domain.generation import Generation
from plushify_core.domain.ledger import LedgerEntry, Subscription
from plushify_core.domain.limits import Limits
from plushify_core.domain.model_call import Billing, ModelCall, ModelFacts, Outcome
from plushify_core.ports import GalleryFilter, Imbalance, Session, Transaction, User, utc_now
from plushify_core.use_cases._ledger_postings import LedgerPostings
from plushify_core.use_cases._outcomes import OutcomeRecorder

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
    """A time without a time zone is refused, rather than stored as UTC."""
    with pytest.raises(Exception, match="no time zone"):
        async with store.begin() as tx:
            await tx.generations.add(pending(created_at=NOW.replace(tzinfo=None)))


async def test_the_database_refuses_invalid_rows(store: SqlStore) -> None:
    """Constraints of the database refuse a negative balance, and an entry of a user without a subscription."""
    await open_account(store, 1)
    with pytest.raises(IntegrityError, match="balance_not_negative"):
        async with store.engine.begin() as connection:
            await connection.execute(SUBSCRIPTIONS.update().values(balance=-1))
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        async with store.engine.begin() as connection:
            await connection.execute(LEDGER_ENTRIES.insert(), msgspec.structs.asdict(entry(1, "nobody")))


async def test_finds_and_repairs_imbalances(store: SqlStore) -> None:
    """The audit finds balances that were changed without an entry, in byte order of the user ids, and a recount repairs
    them."""
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


async def test_concurrent_replicas_do_not_overspend(url: str, store: SqlStore) -> None:
    """Stores with separate connections, like those of several processes, wait for each other's postings."""
    await open_account(store, 30)
    replicas = [SqlStore(url) for _ in range(3)]

    async def consume(replica: SqlStore) -> bool:
        async with replica.begin() as tx:
            await tx.credits.subscription("ann")  # SQLite fails a deferred transaction that reads first
            return await tx.credits.post(entry(-1))

    await asyncio.gather(*(consume(replica) for replica in replicas for _ in range(10)))
    assert await balance_of(store) == 0
    for replica in replicas:
        await replica.aclose()


async def test_fails_after_the_busy_timeout(url: str, store: SqlStore) -> None:
    """A transaction that waits for a lock longer than `busy_timeout_s` fails and changes nothing."""
    await open_account(store, 3)
    impatient = SqlStore(url, busy_timeout_s=0.05)
    async with store.begin() as tx:
        await tx.credits.post(entry(-1))
        with pytest.raises(Exception, match=r"lock timeout|database is locked"):
            async with impatient.begin() as other:
                await other.credits.post(entry(-1))
    await impatient.aclose()
    assert await balance_of(store) == 2


async def test_every_query_uses_an_index(sqlite_url: str) -> None:
    """No query of a use case scans a whole table, or sorts rows that an index could return in order."""
    store = SqlStore(sqlite_url)
    await Migrations(store.engine).upgrade()
    statements: list[tuple[str, Any]] = []

    def record(*details: Any) -> None:
        statements.append((details[2], details[3]))

    event.listen(store.engine.sync_engine, "before_cursor_execute", record)
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
        await tx.generations.renew({row.id: 1}, NOW)
        await tx.generations.release([row.id], NOW)
        await tx.generations.abandoned(NOW, limit=9)
        await tx.generations.expired_trash(NOW, limit=9)
        await tx.credits.entries("ann", after=new_id(), limit=9)
        await tx.credits.post(entry(5, idempotency_key="k"))
        await tx.credits.by_idempotency_key("ann", "k")
        await tx.credits.expiring(NOW, limit=9)
        await tx.model_calls.get(row.id)
        await tx.model_calls.update(row.id, lambda call: call)
        await tx.model_calls.cost_since(NOW)
        await tx.model_calls.average_cost("maker/model", "high", NOW, calls=9)
        await tx.model_calls.count_costly_failures("ann", NOW)
        await tx.model_calls.costs(NOW, NOW)
        await tx.audit.scan(after=row.id, limit=9)
        await tx.audit.find([row.id])
        await tx.audit.entry_sums([row.id])
    accounts = SqlAccountStore(store.engine)
    await accounts.by_email("ann@example.com")
    await accounts.session("ab")
    await accounts.remove_expired_sessions(NOW)
    event.remove(store.engine.sync_engine, "before_cursor_execute", record)

    async with store.engine.begin() as connection:
        for statement, parameters in statements[1:]:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [step.detail for step in plan if step.detail != "SCAN CONSTANT ROW"]  # a list of values
            assert [step for step in steps if step.startswith("SCAN") or "TEMP B-TREE FOR ORDER" in step] == [], (
                statement
            )
    await store.aclose()


class TestOnPostgres:
    """Behaviour that only PostgreSQL has."""

    @pytest.fixture(params=["postgresql"])
    def url(self, request: pytest.FixtureRequest) -> str:
        """Return the URL of a new database."""
        new: str = request.getfixturevalue("postgres").new_database()
        return new

    async def test_skips_rows_that_another_sweep_has_locked(self, store: SqlStore) -> None:
        """Two sweeps with open transactions get different rows, and neither waits for the other."""
        async with store.begin() as tx:
            for _ in range(5):
                await tx.generations.add(pending(lease_until=NOW))
        async with store.begin() as first, store.begin() as second:
            locked = await first.generations.abandoned(NOW, limit=3)
            others = await second.generations.abandoned(NOW, limit=3)
        assert [len(locked), len(others)] == [3, 2]
        assert len({generation.id for generation in (*locked, *others)}) == 5

    async def test_has_its_own_clock(self, store: SqlStore) -> None:
        """The time of a transaction is that of the server, whatever the clock of this machine says."""
        async with aclosing(SqlStore(store.engine.url, clock=lambda: NOW)) as elsewhere, elsewhere.begin() as tx:
            assert abs(await tx.now() - utc_now()) < timedelta(hours=1)

    async def test_a_settlement_delays_no_renewal(self, store: SqlStore) -> None:
        """A renewal skips generations that another transaction has locked, and renews the others."""
        held, settling = running(), running()
        async with store.begin() as tx:
            for found in (held, settling):
                await tx.generations.add(found)
        async with store.begin() as first, store.begin() as second:
            assert await first.generations.replace(settling, settling)
            fences = {found.id: found.fence for found in (held, settling)}
            assert list(await second.generations.renew(fences, NOW)) == [held.id]

    async def test_recovers_from_lost_connections(self, store: SqlStore) -> None:
        """A connection lost in the pool is replaced. A transaction rolls back if it loses its connection."""
        await open_account(store, 3)
        async with aclosing(SqlStore(store.engine.url)) as operator:

            async def terminate_other_connections() -> None:
                async with operator.engine.begin() as connection:
                    others = "datname = current_database() AND pid <> pg_backend_pid()"
                    terminate = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
                    await connection.execute(text(terminate))

            async def consume_twice() -> None:
                async with store.begin() as tx:
                    await tx.credits.post(entry(-1))
                    await terminate_other_connections()
                    await tx.credits.post(entry(-1))

            terminated = asyncio.Event()
            async with store.engine.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                driver.add_termination_listener(lambda _: terminated.set())
            await terminate_other_connections()
            await terminated.wait()
            assert await balance_of(store) == 3
            with pytest.raises(DBAPIError):
                await consume_twice()
            assert await balance_of(store) == 3

    @pytest.mark.parametrize("first", ["bill", "interruption"])
    async def test_a_late_bill_survives_a_concurrent_interruption(self, store: SqlStore, first: str) -> None:
        """Of a late bill and an interruption of the same model call, neither overwrites the other."""
        generation, facts = running(), ModelFacts(model="maker/model", cost_nano_usd=39_000_000)
        postings = LedgerPostings(new_id=new_id, limits=Limits())
        outcomes = OutcomeRecorder(postings=postings)
        async with store.begin() as tx:
            await outcomes.open_call(tx, generation, "maker/model")

        async def close(tx: Transaction, kind: str) -> None:
            if kind == "bill":
                await outcomes.close_call(tx, generation, None, billing=Billing.BILLED, facts=facts)
            else:
                await outcomes.close_call(tx, generation, Outcome.INTERRUPTED, reason=Reason.INTERRUPTED)

        connected, first_closed = asyncio.Event(), asyncio.Event()

        async def close_second() -> None:
            async with store.begin() as tx:
                await tx.model_calls.cost_since(NOW)
                connected.set()
                await first_closed.wait()
                await close(tx, "interruption" if first == "bill" else "bill")

        second = asyncio.create_task(close_second())
        await connected.wait()
        async with store.begin() as tx:
            await close(tx, first)
            first_closed.set()
            for _ in range(20):  # round trips, during which the second transaction reads the call if it does not wait
                await tx.model_calls.get(generation.id)
        await second
        async with store.begin() as tx:
            call = await tx.model_calls.get(generation.id)
        assert call is not None
        assert (call.outcome, call.billing, call.facts) == (Outcome.INTERRUPTED, Billing.BILLED, facts)
