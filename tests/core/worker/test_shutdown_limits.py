"""A shutdown ends in time even if an adapter hangs and ignores its cancellation, and the next start finds the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plushify_adapters.memory import MemoryStore
from plushify_core import Limits, Status
from plushify_core.ports import Transaction
from plushify_core.worker.runner import CLEANUP_TIMEOUT_S
from plushify_core.worker.sweeper import CANCELLATION_TIMEOUT_S
from tests import invariants, virtual_time
from tests.broken import BrokenBlobs, StubbornBlobs, ignore_cancellation
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import on_virtual_time

DRAIN_S = 2.0
SHUTDOWN_S = max(DRAIN_S + CLEANUP_TIMEOUT_S, CLEANUP_TIMEOUT_S + CANCELLATION_TIMEOUT_S)
LIMITS = Limits(drain_s=DRAIN_S)

LONG_S = 100_000.0


class HangingStore(MemoryStore):
    """Store whose transactions hang for a long time, and ignore their cancellation, once `hanging` is set."""

    def __init__(self) -> None:
        super().__init__(clock=virtual_time.now)
        self.hanging = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Return a transaction, once the store does not hang."""
        if self.hanging:
            await ignore_cancellation(asyncio.sleep(LONG_S))
        async with super().begin() as tx:
            yield tx


class StubbornReads(BrokenBlobs):
    """Blob store whose `read` ignores its cancellation."""

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Return the bytes of the blob after the delay."""
        await ignore_cancellation(self._delay_or_refuse("read"))
        async for chunk in super().read(key):
            yield chunk


async def seconds_to_shut_down(plushify: InMemoryPlushify, store: HangingStore | None = None) -> float:
    """Start a generation, shut down 1 s later, and return how long the shutdown takes."""
    loop = asyncio.get_running_loop()
    async with plushify.running():
        generation_id = (await plushify.submit()).id
        plushify.runner.start(generation_id)
        await asyncio.sleep(1)
        assert (await plushify.row(generation_id)).status is Status.RUNNING
        if store is not None:
            store.hanging = True
        began = loop.time()
    return loop.time() - began


async def settled_by_the_next_start(plushify: InMemoryPlushify) -> None:
    """Check that another process settles and tidies everything, and that no promise is violated."""
    limits = plushify.limits
    another = plushify.another_process()
    async with another.running():
        await asyncio.sleep(limits.timeout_s + limits.lease_s + limits.late_write_s + 2 * limits.sweep_interval_s)
    books = invariants.in_memory(plushify.store, plushify.blobs)
    assert [*invariants.violations(books), *invariants.unsettled(books)] == []
    assert [generation.status for generation in books.generations.values()] == [Status.FAILED]


@on_virtual_time
async def test_a_put_that_hangs() -> None:
    """A picture that cannot be stored delays the shutdown no longer than the limit, and its generation is refunded."""
    blobs = StubbornBlobs()
    plushify = InMemoryPlushify(blobs=blobs, limits=LIMITS)
    blobs.delays_s = {"put generated": 60.0}
    assert await seconds_to_shut_down(plushify) <= SHUTDOWN_S
    await settled_by_the_next_start(plushify)


@on_virtual_time
async def test_a_read_that_hangs() -> None:
    """A photo that cannot be read delays the shutdown no longer than the limit, and its generation is refunded."""
    blobs = StubbornReads()
    blobs.delays_s = {"read": 60.0}
    plushify = InMemoryPlushify(blobs=blobs, limits=LIMITS)
    assert await seconds_to_shut_down(plushify) <= SHUTDOWN_S
    await settled_by_the_next_start(plushify)


@on_virtual_time
async def test_a_database_that_hangs() -> None:
    """If no result can be committed, the shutdown ends at its limit. A sweep refunds the generation later."""
    store = HangingStore()
    blobs = BrokenBlobs()
    blobs.delays_s = {"read original": 30.0}
    plushify = InMemoryPlushify(store=store, blobs=blobs, limits=LIMITS)
    assert await seconds_to_shut_down(plushify, store) <= SHUTDOWN_S
    store.hanging = False
    await settled_by_the_next_start(plushify)


@on_virtual_time
async def test_jobs_that_hang() -> None:
    """Jobs of the service that hang and ignore their cancellation delay the shutdown no longer than the limit."""
    began = asyncio.Event()

    async def hang() -> None:
        began.set()
        await ignore_cancellation(asyncio.sleep(LONG_S))

    loop = asyncio.get_running_loop()
    plushify = InMemoryPlushify(limits=LIMITS)
    async with plushify.running(hang):
        await began.wait()
        shutdown_at = loop.time()
    assert loop.time() - shutdown_at <= SHUTDOWN_S
