"""Generations that outlive requests, and what a shutdown and a dead process leave."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from uuid import UUID

import pytest
from dependency_injector import providers

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Generation, Status, Swept
from plushify_core.ports import ModelRequest
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.web.conftest import PHOTO, make_container

pytestmark = pytest.mark.anyio

USER = "ada"


async def submitted(container: Container) -> UUID:
    """A pending generation."""
    generation = await container.generate().submit(USER, PHOTO, style="kawaii", quality="standard")
    assert generation.status is Status.PENDING
    return generation.id


async def ended(container: Container, generation_id: UUID) -> Generation:
    """The generation as it stands."""
    generation: Generation = await container.gallery().get(USER, generation_id)
    return generation


async def test_a_shutdown_waits_for_what_runs() -> None:
    """Within `drain_s` a generation comes to its good end."""
    container = make_container(Settings(drain_s=60))
    async with container.runner().running():
        generation_id = await submitted(container)
        container.runner().start(generation_id)
    assert (await ended(container, generation_id)).status is Status.SUCCEEDED


async def test_a_shutdown_refunds_what_takes_longer(
    container: Container, model: MemoryImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not done when the time to drain is over ends as interrupted, refunded, and its waiter hears of it."""
    called = asyncio.Event()

    async def endless(_: ModelRequest) -> NoReturn:
        called.set()
        await asyncio.Event().wait()
        raise AssertionError("it waits for what never happens")

    monkeypatch.setattr(model, "generate", endless)
    runner = container.runner()
    async with runner.running():
        generation_id = await submitted(container)
        runner.start(generation_id)
        waiting = asyncio.create_task(runner.wait(USER, generation_id, timeout_s=3600))
        await called.wait()
        runner.stop()
        generation = await waiting

    assert generation.failure is not None
    assert generation.failure.reason == "interrupted"
    assert (await container.credits().ensure_subscription(USER)).balance == 3


async def test_nothing_begins_during_a_shutdown(container: Container, model: MemoryImageModel) -> None:
    """What is submitted last stays pending, for another process; its waiter does not hold up the shutdown."""
    runner = container.runner()
    async with runner.running():
        runner.stop()
        generation_id = await submitted(container)
        runner.start(generation_id)
        generation = await runner.wait(USER, generation_id, timeout_s=3600)

    assert (generation.status, model.requests) == (Status.PENDING, [])


async def test_a_sweep_runs_what_was_never_begun(container: Container) -> None:
    """A pending generation whose process died is taken over and made."""
    generation_id = await submitted(container)
    later = datetime.now(UTC) + timedelta(seconds=30)
    container.clock.override(providers.Factory(lambda: later))

    runner = container.runner()
    await runner.sweep()
    generation = await runner.wait(USER, generation_id, timeout_s=30)
    assert generation.status is Status.SUCCEEDED


@pytest.mark.parametrize("job", ["settle", "tidy"])
async def test_it_sweeps_again_after_a_sweep_that_failed(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep that fails is told to the log, and the next one comes all the same."""
    sweeps = 0
    twice = asyncio.Event()

    async def failing() -> None:
        nonlocal sweeps
        sweeps += 1
        if sweeps == 2:
            twice.set()
        raise OSError("the database is away")

    container = make_container(Settings(sweep_interval_s=0))
    monkeypatch.setattr(container.recover(), job, failing)
    async with container.runner().running():
        await twice.wait()


async def test_a_storage_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds up neither the next sweep, which refunds, nor the end of the runner, though it does not stop."""
    hanging, refunding, answering = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def settle() -> Swept:
        if hanging.is_set():
            refunding.set()
        return Swept()

    async def tidy() -> Swept:
        hanging.set()
        while not answering.is_set():
            with suppress(asyncio.CancelledError):
                await answering.wait()
        return Swept()

    container = make_container(Settings(sweep_interval_s=0))
    monkeypatch.setattr(container.recover(), "settle", settle)
    monkeypatch.setattr(container.recover(), "tidy", tidy)
    monkeypatch.setattr("plushify_web.runner.TIDY_S", 0.001)
    async with container.runner().running():
        await refunding.wait()
    answering.set()


async def test_waiting_for_another_process(container: Container) -> None:
    """A generation that runs elsewhere is looked for in the store until it has ended."""
    generation_id = await submitted(container)
    waiting = asyncio.create_task(container.runner().wait(USER, generation_id, timeout_s=30))
    await container.generate().run(generation_id)
    assert (await waiting).status is Status.SUCCEEDED
