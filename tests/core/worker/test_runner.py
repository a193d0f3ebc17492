"""The runner and the sweeper: generations outlive requests, and shutdowns and dead processes lose nothing."""

import asyncio
from contextlib import suppress
from typing import NoReturn
from uuid import UUID

import pytest

from plushify_core import Generation, Limits, RecoverUseCase, Status, Swept
from plushify_core.ports import ModelRequest
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import on_virtual_time


async def submitted(plushify: InMemoryPlushify) -> UUID:
    """Return the id of a pending generation."""
    generation = await plushify.submit()
    assert generation.status is Status.PENDING
    return generation.id


async def ended(plushify: InMemoryPlushify, generation_id: UUID) -> Generation:
    """Return the stored generation."""
    return await plushify.gallery.get("ann", generation_id)


@on_virtual_time
async def test_a_shutdown_waits_for_what_runs() -> None:
    """Within `drain_s` a generation comes to its good end."""
    plushify = InMemoryPlushify(limits=Limits(drain_s=60))
    async with plushify.running():
        generation_id = await submitted(plushify)
        plushify.runner.start(generation_id)
    assert (await ended(plushify, generation_id)).status is Status.SUCCEEDED


@on_virtual_time
async def test_a_shutdown_refunds_what_takes_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not done when the time to drain is over ends as interrupted, refunded, and its waiter hears of it."""
    plushify = InMemoryPlushify()
    called = asyncio.Event()

    async def endless(_: ModelRequest) -> NoReturn:
        called.set()
        await asyncio.Event().wait()
        raise AssertionError("it waits for what never happens")

    monkeypatch.setattr(plushify.model, "generate", endless)
    runner = plushify.runner
    async with plushify.running():
        generation_id = await submitted(plushify)
        runner.start(generation_id)
        waiting = asyncio.create_task(runner.wait("ann", generation_id, timeout_s=3600))
        await called.wait()
        runner.stop()
        generation = await waiting

    assert generation.failure is not None
    assert generation.failure.reason == "interrupted"
    assert await plushify.balance() == 3


@on_virtual_time
async def test_nothing_begins_during_a_shutdown() -> None:
    """What is submitted last stays pending, for another process; its waiter does not hold up the shutdown."""
    plushify = InMemoryPlushify()
    runner = plushify.runner
    async with plushify.running():
        runner.stop()
        generation_id = await submitted(plushify)
        runner.start(generation_id)
        generation = await runner.wait("ann", generation_id, timeout_s=3600)

    assert (generation.status, plushify.model.requests) == (Status.PENDING, [])


@on_virtual_time
async def test_a_sweep_runs_what_was_never_begun() -> None:
    """A pending generation whose process died is taken over and made."""
    plushify = InMemoryPlushify()
    generation_id = await submitted(plushify)
    await asyncio.sleep(30)

    await plushify.sweeper.sweep_leases()
    generation = await plushify.runner.wait("ann", generation_id, timeout_s=30)
    assert generation.status is Status.SUCCEEDED


@pytest.mark.parametrize("job", ["sweep_leases", "sweep_blobs"])
@on_virtual_time
async def test_it_sweeps_again_after_a_sweep_that_failed(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that fails is told to the log, and the next one comes all the same."""
    sweeps = 0
    twice = asyncio.Event()

    async def failing(_: RecoverUseCase) -> None:
        nonlocal sweeps
        sweeps += 1
        if sweeps == 2:
            twice.set()
        raise OSError("the database is away")

    plushify = InMemoryPlushify(limits=Limits(sweep_interval_s=0.001))
    monkeypatch.setattr(RecoverUseCase, job, failing)
    async with plushify.running():
        await twice.wait()


@on_virtual_time
async def test_a_storage_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds up neither the next sweep, which refunds, nor the end of the runner, though it does not stop."""
    hanging, refunding, answering = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sweep_leases(_: RecoverUseCase) -> Swept:
        if hanging.is_set():
            refunding.set()
        return Swept()

    async def sweep_blobs(_: RecoverUseCase) -> Swept:
        hanging.set()
        while not answering.is_set():
            with suppress(asyncio.CancelledError):
                await answering.wait()
        return Swept()

    plushify = InMemoryPlushify(limits=Limits(sweep_interval_s=0.001))
    monkeypatch.setattr(RecoverUseCase, "sweep_leases", sweep_leases)
    monkeypatch.setattr(RecoverUseCase, "sweep_blobs", sweep_blobs)
    monkeypatch.setattr("plushify_core.worker.sweeper.CLEANUP_TIMEOUT_S", 0.001)
    async with plushify.running():
        await refunding.wait()
    answering.set()


@on_virtual_time
async def test_waiting_for_another_process() -> None:
    """A generation that runs elsewhere is looked for in the store until it has ended."""
    plushify = InMemoryPlushify()
    generation_id = await submitted(plushify)
    waiting = asyncio.create_task(plushify.runner.wait("ann", generation_id, timeout_s=30))
    await plushify.generate.run(generation_id)
    assert (await waiting).status is Status.SUCCEEDED
