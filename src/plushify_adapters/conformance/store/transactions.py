"""Transactions: all or nothing, whatever ends them."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from plushify_adapters.conformance.store.entities import entry, model_call, pending, subscription
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel, open_account
from plushify_core.domain.generation import Generation
from plushify_core.domain.ledger import LedgerEntry
from plushify_core.domain.model_call import ModelCall
from plushify_core.ports import Store, Transaction


class _Broken(Exception):
    """What a transaction is ended with."""


async def _break(store: Store, work: Callable[[Transaction], Awaitable[object]]) -> None:
    """Do some work in a transaction that then raises."""
    async with store.begin() as tx:
        await work(tx)
        raise _Broken


class _Everything:
    """Something in every table."""

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
    """`Store.begin`."""

    async def test_is_the_declared_adapter(self, store: Store) -> None:
        """The suite runs on the adapter that it says it runs on."""
        assert type(store) is self.adapter

    async def test_commits_when_the_block_ends(self, store: Store) -> None:
        """What a transaction wrote is there for the next."""
        everything = _Everything()
        async with store.begin() as tx:
            await everything.write(tx)
        async with store.begin() as tx:
            assert await everything.found(tx) == [True] * 4

    async def test_sees_what_it_wrote(self, store: Store) -> None:
        """A transaction reads its own writes before they are committed."""
        everything = _Everything()
        async with store.begin() as tx:
            await everything.write(tx)
            assert await everything.found(tx) == [True] * 4

    async def test_rolls_back_on_an_exception(self, store: Store) -> None:
        """Nothing of a transaction that raised stays, in any table, and the exception goes on."""
        everything = _Everything()
        with pytest.raises(_Broken):
            await _break(store, everything.write)
        async with store.begin() as tx:
            assert await everything.found(tx) == [False] * 4

    async def test_rolls_back_a_movement_of_credits(self, store: Store) -> None:
        """The balance goes back with the entry."""
        await open_account(store, 3)
        with pytest.raises(_Broken):
            await _break(store, lambda tx: tx.credits.post(entry(-2)))
        async with store.begin() as tx:
            found = await tx.credits.subscription("ann")
            assert found is not None
            assert found.balance == 3
            assert len(await tx.credits.entries("ann", after=None, limit=10)) == 1

    async def test_rolls_back_on_cancellation(self, store: Store) -> None:
        """Nothing of a transaction that was cancelled stays, and the next one is not held up by it."""
        everything = _Everything()
        written = asyncio.Event()

        async def write_and_wait() -> None:
            async with store.begin() as tx:
                await everything.write(tx)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(write_and_wait())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with store.begin() as tx:
            assert await everything.found(tx) == [False] * 4

    async def test_may_be_cancelled_at_any_moment(self, store: Store) -> None:
        """A cancellation that hits any step of a transaction leaves all of it or nothing, and leaves the store
        able to run as many transactions as before."""
        await open_account(store, 1_000)

        async def consume() -> bool:
            async with store.begin() as tx:
                generation = pending()
                return await tx.generations.add(generation) and await tx.credits.post(
                    entry(-1, generation_id=generation.id)
                )

        async def consume_until(steps: int) -> None:
            task = asyncio.ensure_future(consume())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})

        await in_parallel(consume_until(steps) for steps in range(80))
        assert await in_parallel(consume() for _ in range(40)) == [True] * 40
        async with store.begin() as tx:
            found = await tx.credits.subscription("ann")
            entries = await tx.credits.entries("ann", after=None, limit=1_000)
            assert found is not None
            assert found.balance == sum(entry.amount for entry in entries)
            paid = [entry.generation_id for entry in entries if entry.generation_id is not None]
            assert await tx.generations.count_unfinished("ann") == len(paid) >= 40

    async def test_hides_what_is_not_committed(self, store: Store) -> None:
        """No transaction reads what another has written and then takes back."""
        generation = pending()
        readers: list[asyncio.Task[Generation | None]] = []

        async def read() -> Generation | None:
            async with store.begin() as tx:
                return await tx.generations.get(generation.id)

        async def write(tx: Transaction) -> None:
            await tx.generations.add(generation)
            readers.append(asyncio.ensure_future(read()))
            for _ in range(20):  # round trips, in which a reader who need not wait comes to its end
                await tx.generations.get(generation.id)

        with pytest.raises(_Broken):
            await _break(store, write)
        assert await readers[0] is None
