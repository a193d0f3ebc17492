"""Contract of `Store.begin`: a transaction commits all of its changes or none."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from plushify_adapters.conformance.store.entities import entry, model_call, pending, subscription
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel, open_account
from plushify_core.domain.generation import Generation
from plushify_core.domain.ledger import LedgerEntry
from plushify_core.domain.model_call import ModelCall
from plushify_core.ports import Store, Transaction


class _Abort(Exception):
    """Exception that ends a transaction."""


async def _abort(store: Store, work: Callable[[Transaction], Awaitable[object]]) -> None:
    """Run `work` in a transaction, and then raise `_Abort` inside it."""
    async with store.begin() as tx:
        await work(tx)
        raise _Abort


class _Rows:
    """One row for every table."""

    def __init__(self) -> None:
        self.generation: Generation = pending("bob")
        self.entry: LedgerEntry = entry(5, "bob")
        self.call: ModelCall = model_call(self.generation.id)

    async def write(self, tx: Transaction) -> None:
        await tx.generations.add(self.generation)
        await tx.credits.open(subscription("bob"))
        await tx.credits.post(self.entry)
        await tx.model_calls.add(self.call)

    async def found(self, tx: Transaction) -> list[bool]:
        opened = await tx.credits.subscription("bob")
        return [
            await tx.generations.get(self.generation.id) == self.generation,
            opened is not None and opened.balance == self.entry.amount,
            await tx.credits.entries("bob", after=None, limit=10) == [self.entry],
            await tx.model_calls.get(self.generation.id) == self.call,
        ]


class TransactionsContract(StoreSuite):
    """Contract of `Store.begin`."""

    async def test_is_the_declared_adapter(self, store: Store) -> None:
        """The suite runs on the adapter that it declares."""
        assert type(store) is self.adapter

    async def test_returns_its_time_in_utc(self, store: Store) -> None:
        """The time of a transaction is in UTC and stays the same. A later transaction has a later time."""
        async with store.begin() as tx:
            first = await tx.now()
            await asyncio.sleep(0.01)
            assert await tx.now() == first
        async with store.begin() as tx:
            second = await tx.now()
        assert first.utcoffset() == second.utcoffset() == timedelta(0)
        assert timedelta(seconds=0.005) <= second - first < timedelta(hours=1)

    async def test_commits_when_the_block_ends(self, store: Store) -> None:
        """The next transaction reads the changes of a committed one."""
        rows = _Rows()
        async with store.begin() as tx:
            await rows.write(tx)
        async with store.begin() as tx:
            assert await rows.found(tx) == [True] * 4

    async def test_reads_its_own_writes(self, store: Store) -> None:
        """A transaction reads its own changes before they are committed."""
        rows = _Rows()
        async with store.begin() as tx:
            await rows.write(tx)
            assert await rows.found(tx) == [True] * 4

    async def test_rolls_back_on_an_exception(self, store: Store) -> None:
        """If the block raises, all changes are rolled back, in every table, and the exception is raised again."""
        rows = _Rows()
        with pytest.raises(_Abort):
            await _abort(store, rows.write)
        async with store.begin() as tx:
            assert await rows.found(tx) == [False] * 4

    async def test_rolls_back_a_posting(self, store: Store) -> None:
        """A rollback removes the entry and restores the balance."""
        await open_account(store, 3)
        with pytest.raises(_Abort):
            await _abort(store, lambda tx: tx.credits.post(entry(-2)))
        async with store.begin() as tx:
            found = await tx.credits.subscription("ann")
            assert found is not None
            assert found.balance == 3
            assert len(await tx.credits.entries("ann", after=None, limit=10)) == 1

    async def test_rolls_back_on_cancellation(self, store: Store) -> None:
        """If the block is cancelled, all changes are rolled back, and the next transaction is not blocked."""
        rows = _Rows()
        written = asyncio.Event()

        async def write_and_wait() -> None:
            async with store.begin() as tx:
                await rows.write(tx)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(write_and_wait())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with store.begin() as tx:
            assert await rows.found(tx) == [False] * 4

    async def test_a_cancellation_at_any_step_keeps_the_store_consistent(self, store: Store) -> None:
        """After a cancellation at any step, a transaction is committed as a whole or not at all.

        The store can run as many transactions as before.
        """
        await open_account(store, 1_000)

        async def consume() -> bool:
            async with store.begin() as tx:
                generation = pending()
                return await tx.generations.add(generation) and await tx.credits.post(
                    entry(-1, generation_id=generation.id)
                )

        async def cancel_consume_after(steps: int) -> None:
            task = asyncio.create_task(consume())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})

        await in_parallel(cancel_consume_after(steps) for steps in range(80))
        assert await in_parallel(consume() for _ in range(40)) == [True] * 40
        async with store.begin() as tx:
            found = await tx.credits.subscription("ann")
            entries = await tx.credits.entries("ann", after=None, limit=1_000)
            assert found is not None
            assert found.balance == sum(entry.amount for entry in entries)
            paid = [entry.generation_id for entry in entries if entry.generation_id is not None]
            assert await tx.generations.count_unfinished("ann") == len(paid) >= 40

    async def test_hides_uncommitted_changes(self, store: Store) -> None:
        """No transaction reads changes of another one that is rolled back later."""
        generation = pending()
        readers: list[asyncio.Task[Generation | None]] = []

        async def read() -> Generation | None:
            async with store.begin() as tx:
                return await tx.generations.get(generation.id)

        async def write(tx: Transaction) -> None:
            await tx.generations.add(generation)
            readers.append(asyncio.create_task(read()))
            for _ in range(20):  # round trips, during which a reader that does not wait would finish
                await tx.generations.get(generation.id)

        with pytest.raises(_Abort):
            await _abort(store, write)
        assert await readers[0] is None
