"""Leases: renewed while a process works, judged by the time of the store, and released at a shutdown."""

import asyncio
from datetime import datetime, timedelta

import pytest

from plushify_adapters.memory import MemoryImageModel, MemoryStore
from plushify_core import Limits, Status
from plushify_core.ports import Clock
from tests import virtual_time
from tests.broken import BrokenBlobs, BrokenStore
from tests.in_memory import InMemoryPlushify, PlushifyForTests
from tests.virtual_time import on_virtual_time

SKEWS_S = [-3600, -25, 25, 3600]


def ahead(seconds: float) -> Clock:
    """Return a clock that is this far ahead."""

    def clock() -> datetime:
        return virtual_time.now() + timedelta(seconds=seconds)

    return clock


def two_machines(skew_s: float, **ports: BrokenBlobs) -> tuple[InMemoryPlushify, PlushifyForTests]:
    """Return a process whose clock is right, and one on another machine whose clock is `skew_s` ahead."""
    right = InMemoryPlushify(store=MemoryStore(clock=virtual_time.now), **ports)
    wrong = InMemoryPlushify(store=right.store, blobs=right.blobs, model=right.model, clock=ahead(skew_s))
    return right, wrong


@pytest.mark.parametrize("skew_s", SKEWS_S)
@on_virtual_time
async def test_undo_window_on_another_machine(skew_s: float) -> None:
    """A deleted picture can be restored for 30 s, and is erased then, whichever machine sweeps or restores."""
    right, wrong = two_machines(skew_s)
    one, two = await right.make(), await right.make()
    for generation in (one, two):
        await right.gallery.delete("ann", generation.id)
    await asyncio.sleep(29)
    await wrong.sweep()

    await wrong.gallery.restore("ann", one.id)
    await asyncio.sleep(1)
    await wrong.sweep()

    assert (await right.row(one.id)).status is Status.SUCCEEDED
    assert await right.stored(two.id) is None


@pytest.mark.parametrize("skew_s", SKEWS_S)
@on_virtual_time
async def test_slow_submission_on_another_machine(skew_s: float) -> None:
    """A submission that is still storing its photo is left alone, whichever machine stores, replays or sweeps."""
    right, wrong = two_machines(skew_s, blobs=(blobs := BrokenBlobs()))
    blobs.delays_s["put original"] = 19
    submissions = [asyncio.create_task(plushify.submit(user)) for plushify, user in ((right, "ann"), (wrong, "bob"))]
    await asyncio.sleep(18)
    for sweeping in (right, wrong):
        await sweeping.sweep()

    submitted = [await submission for submission in submissions]

    assert [generation.status for generation in submitted] == [Status.PENDING, Status.PENDING]
    assert [(await wrong.generate.run(generation.id)).status for generation in submitted] == [Status.SUCCEEDED] * 2


@pytest.mark.parametrize("skew_s", SKEWS_S)
@on_virtual_time
async def test_running_on_another_machine(skew_s: float) -> None:
    """A process works until the deadline, and no sweep ends its generation, whatever the clocks say."""
    right, wrong = two_machines(skew_s)
    right.model.delay_s = 59
    runs = [(await plushify.start_run(wait_s=0))[1] for plushify in (right, wrong)]
    for _ in range(58):
        await asyncio.sleep(1)
        for sweeping in (right, wrong):
            assert (await sweeping.recover.sweep()).refunded == 0

    assert [(await run).status for run in runs] == [Status.SUCCEEDED] * 2


@on_virtual_time
async def test_a_clock_that_is_set_back_gives_no_time() -> None:
    """The deadline of a running generation is measured without a clock that can be set."""
    now = [virtual_time.EPOCH]
    plushify = InMemoryPlushify(clock=lambda: now[0], model=MemoryImageModel(delay_s=100))
    _, run = await plushify.start_run(wait_s=30)
    now[0] -= timedelta(hours=1)

    assert (await run).status is Status.FAILED
    assert asyncio.get_running_loop().time() == 60


@on_virtual_time
async def test_renews_all_leases_together() -> None:
    """A process renews the leases of all its generations in one transaction per beat, and stops with the last one."""
    store = BrokenStore()
    plushify = InMemoryPlushify(store=store, model=MemoryImageModel(delay_s=35), limits=Limits(lease_s=9))
    runs = [(await plushify.start_run(wait_s=0.1))[1] for _ in range(3)]
    transactions_before = store.transactions
    await asyncio.sleep(30)

    leases = [row.lease_until for row in store._tables.generations.values()]
    assert store.transactions - transactions_before == 10
    assert leases == [virtual_time.EPOCH + timedelta(seconds=39)] * 3
    assert [(await run).status for run in runs] == [Status.SUCCEEDED] * 3
    transactions_before = store.transactions
    await asyncio.sleep(100)
    assert store.transactions == transactions_before


@on_virtual_time
async def test_renews_after_a_failed_renewal() -> None:
    """A renewal that fails or hangs is tried again before the lease expires."""
    store = BrokenStore()
    plushify = InMemoryPlushify(store=store, model=MemoryImageModel(delay_s=40))
    _, run = await plushify.start_run(wait_s=3)
    store.refusals = 1
    await asyncio.sleep(8)
    store.commit_delay_s = 1_000
    await asyncio.sleep(3)
    store.commit_delay_s = 0
    for _ in range(20):
        await asyncio.sleep(1)
        assert (await plushify.recover.sweep()).refunded == 0

    assert (await run).status is Status.SUCCEEDED


@on_virtual_time
async def test_dispatch_that_outlasts_its_lease() -> None:
    """The model is not called if the commit of the dispatch took longer than the lease."""
    store = BrokenStore()
    plushify = InMemoryPlushify(store=store)
    generation = await plushify.submit()
    store.commit_delay_s = 11
    run = asyncio.create_task(plushify.generate.run(generation.id))
    await asyncio.sleep(5)
    store.commit_delay_s = 0
    generation = await run

    assert (generation.status, plushify.model.requests) == (Status.FAILED, [])


def test_event_loops_one_after_another() -> None:
    """A process renews its leases in each of several event loops that run one after the other."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=25))

    async def run_and_sweep() -> None:
        _, run = await plushify.start_run(wait_s=0)
        for _ in range(20):
            await asyncio.sleep(1)
            assert (await plushify.recover.sweep()).refunded == 0
        assert (await run).status is Status.SUCCEEDED

    for _ in range(2):
        virtual_time.run(run_and_sweep())


@on_virtual_time
async def test_shutdown_gives_back_what_it_reclaimed() -> None:
    """A generation that a process reclaimed and has not begun is run by an idle replica after its next sweep."""
    limits = Limits(max_running=1, max_in_flight_per_user=9, free_credits=9, drain_s=5)
    busy = InMemoryPlushify(limits=limits, model=MemoryImageModel(delay_s=55))
    idle = busy.another_process(MemoryImageModel(delay_s=1))
    async with busy.running():
        running = await busy.submit()
        busy.runner.start(running.id)
        await asyncio.sleep(1)
        queued = await busy.submit()  # by a process that dies
        await asyncio.sleep(26)
        assert (await busy.row(queued.id)).fence == 1
        busy.runner.stop()
        await asyncio.sleep(0.1)
        async with idle.running():
            await asyncio.sleep(idle.limits.sweep_interval_s + 2)

    assert (await busy.row(queued.id)).status is Status.SUCCEEDED


@on_virtual_time
async def test_shutdown_leaves_the_leases_of_others() -> None:
    """A generation that is queued here and runs in another process keeps its lease at a shutdown."""
    limits = Limits(max_running=1, drain_s=0)
    busy = InMemoryPlushify(limits=limits, model=MemoryImageModel(delay_s=55))
    other = busy.another_process(MemoryImageModel(delay_s=30))
    await busy.submit()
    generation = await busy.submit()
    await asyncio.sleep(20)
    async with busy.running():
        await asyncio.sleep(1)
        run = asyncio.create_task(other.generate.run(generation.id))
        await asyncio.sleep(1)
    assert (await other.recover.sweep()).refunded == 0

    assert (await run).status is Status.SUCCEEDED


@on_virtual_time
async def test_sweep_during_a_shutdown() -> None:
    """Generations that a sweep reclaims while the process shuts down are released."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    await asyncio.sleep(20)
    plushify.runner.stop()
    await plushify.sweeper.sweep_leases()

    assert (await plushify.another_process().recover.sweep()).to_run == (generation.id,)


@on_virtual_time
async def test_shutdown_without_database() -> None:
    """A shutdown that cannot release generations ends, and their leases expire."""
    store = BrokenStore()
    limits = Limits(max_running=1, drain_s=0)
    plushify = InMemoryPlushify(store=store, limits=limits, model=MemoryImageModel(delay_s=55))
    for _ in range(2):
        await plushify.submit()
    await asyncio.sleep(20)
    async with plushify.running():
        await asyncio.sleep(1)
        store.refusals = 10_000
    store.refusals = 0
    await asyncio.sleep(30)
    await plushify.another_process().recover.sweep()

    assert {row.status for row in store._tables.generations.values()} <= {Status.PENDING, Status.FAILED}
