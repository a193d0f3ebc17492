"""Runner and sweeper: generations continue without their requests, and nothing is lost at a shutdown."""

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
    """Submit a photo, and return the id of the pending generation."""
    generation = await plushify.submit()
    assert generation.status is Status.PENDING
    return generation.id


async def stored(plushify: InMemoryPlushify, generation_id: UUID) -> Generation:
    """Return the stored generation."""
    return await plushify.gallery.get("ann", generation_id)


@on_virtual_time
async def test_shutdown_waits_for_running_generations() -> None:
    """A running generation succeeds if it ends within `drain_s` of the shutdown."""
    plushify = InMemoryPlushify(limits=Limits(drain_s=60))
    async with plushify.running():
        generation_id = await submitted(plushify)
        plushify.runner.start(generation_id)
    assert (await stored(plushify, generation_id)).status is Status.SUCCEEDED


@on_virtual_time
async def test_shutdown_refunds_after_the_drain_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generation that is still running after `drain_s` is interrupted and refunded, and `wait` returns it."""
    plushify = InMemoryPlushify()
    called = asyncio.Event()

    async def endless(_: ModelRequest) -> NoReturn:
        called.set()
        await asyncio.Event().wait()
        raise AssertionError("an event that nothing sets was set")

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
async def test_shutdown_starts_no_generation() -> None:
    """A generation that is started during a shutdown stays pending, and `wait` returns it at once."""
    plushify = InMemoryPlushify()
    runner = plushify.runner
    async with plushify.running():
        runner.stop()
        generation_id = await submitted(plushify)
        runner.start(generation_id)
        generation = await runner.wait("ann", generation_id, timeout_s=3600)

    assert (generation.status, plushify.model.requests) == (Status.PENDING, [])


@on_virtual_time
async def test_sweep_runs_reclaimed_generations() -> None:
    """A sweep reclaims and runs a pending generation of a process that died."""
    plushify = InMemoryPlushify()
    generation_id = await submitted(plushify)
    await asyncio.sleep(30)

    await plushify.sweeper.sweep_leases()
    generation = await plushify.runner.wait("ann", generation_id, timeout_s=30)
    assert generation.status is Status.SUCCEEDED


@pytest.mark.parametrize("job", ["sweep_leases", "sweep_blobs"])
@on_virtual_time
async def test_sweeps_again_after_a_failed_sweep(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a sweep that fails, the next one runs."""
    sweeps = 0
    twice = asyncio.Event()

    async def failing(_: RecoverUseCase) -> None:
        nonlocal sweeps
        sweeps += 1
        if sweeps == 2:
            twice.set()
        raise OSError("the database is unavailable")

    plushify = InMemoryPlushify(limits=Limits(sweep_interval_s=0.001))
    monkeypatch.setattr(RecoverUseCase, job, failing)
    async with plushify.running():
        await twice.wait()


@on_virtual_time
async def test_sweep_of_blobs_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob store that hangs and ignores its cancellation delays neither the refunds nor the shutdown."""
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
async def test_waits_for_another_process() -> None:
    """`wait` returns a generation when another process has stored it."""
    plushify = InMemoryPlushify()
    generation_id = await submitted(plushify)
    waiting = asyncio.create_task(plushify.runner.wait("ann", generation_id, timeout_s=30))
    await plushify.generate.run(generation_id)
    assert (await waiting).status is Status.SUCCEEDED
