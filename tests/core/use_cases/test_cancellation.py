"""Cancelled submissions and runs: credits are refunded, and committed results remain."""

import asyncio
from datetime import timedelta

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Reason, Status
from plushify_core.ports import Capabilities
from tests.broken import BrokenBlobs, BrokenStore
from tests.in_memory import InMemoryPlushify, failure_reason
from tests.virtual_time import on_virtual_time


@on_virtual_time
async def test_submission_that_has_been_charged() -> None:
    """A submission that is cancelled after its charge is refunded, and its photo is removed."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"put original": 2}
    submission = asyncio.create_task(plushify.submit())
    await asyncio.sleep(1)

    submission.cancel()
    await asyncio.wait({submission})

    assert submission.cancelled()
    assert await plushify.amounts() == [3, -1, 1]
    assert blobs.blobs == {}


@on_virtual_time
async def test_replay() -> None:
    """A cancelled replay does not cancel the generation of the first request."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"put original": 2}
    first = asyncio.create_task(plushify.submit(key="k"))
    replay = asyncio.create_task(plushify.submit(key="k"))
    await asyncio.sleep(1)

    replay.cancel()
    generation = await first

    assert generation.status is Status.PENDING
    assert await plushify.amounts() == [3, -1]


@pytest.mark.parametrize("at_s", [0, 1, 10])
@on_virtual_time
async def test_run(at_s: float) -> None:
    """A run that is cancelled during its dispatch or its attempt refunds the generation without delay."""

    class SlowToStart(MemoryImageModel):
        async def capabilities(self) -> Capabilities:
            """Return the capabilities after two seconds, so that the dispatch takes time."""
            await asyncio.sleep(2)
            return await super().capabilities()

    plushify = InMemoryPlushify(model=SlowToStart(delay_s=20))
    submitted = await plushify.submit()
    start = plushify.clock()
    run = asyncio.create_task(plushify.generate.run(submitted.id))
    await asyncio.sleep(at_s)

    run.cancel()
    await asyncio.wait({run})

    assert run.cancelled() or at_s == 0  # at 0 the coroutine has not begun, so the generation stays pending
    generation = await plushify.row(submitted.id)
    if at_s:
        assert plushify.clock() - start <= timedelta(seconds=10)
        assert failure_reason(generation) is Reason.INTERRUPTED
        assert await plushify.balance() == 3


@on_virtual_time
async def test_run_that_is_settling() -> None:
    """A run that is cancelled while it commits a success still commits it."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=MemoryImageModel(delay_s=1))
    generation_id, run = await plushify.start_run(wait_s=0.5)
    store.refusals = 3
    await asyncio.sleep(1)  # the settlement waits before its next try

    run.cancel()
    await asyncio.wait({run})

    assert run.cancelled()
    assert (await plushify.row(generation_id)).status is Status.SUCCEEDED
    assert await plushify.amounts() == [3, -1]
