"""What is held in memory: of a waiting call neither photo nor base64, of an answer nothing once it is read."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Iterator

import pytest

from plushify_adapters.openrouter import Api
from plushify_core.ports import EncodedImage
from tests.adapters.openrouter.support import ModelOnEmulator, request_for
from tests.emulators.process import OpenRouterEmulator

pytestmark = pytest.mark.anyio

PHOTO_BYTES = 3_000_000
CALLS = 8
LAST_ONES = 3  # the thread that read an answer may let go of it a moment later


@pytest.fixture
def _without_collector() -> Iterator[None]:
    """Only reference counts free memory: what lives in a cycle would stay."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


def held_bytes() -> int:
    """What Python holds now."""
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.usefixtures("_without_collector")
@pytest.mark.parametrize("api", list(Api))
async def test_answers_leave_nothing_behind(
    api: Api, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """What one answer took is free before the next, and does not wait for the garbage collector."""
    async with model_on(api=api) as model:
        size = len((await model.generate(request_for(photo))).data)
        before = held_bytes()
        for _ in range(CALLS):
            await model.generate(request_for(photo))
        held = held_bytes() - before

    assert size > 500_000
    assert held < LAST_ONES * size


@pytest.mark.usefixtures("_without_collector")
async def test_failures_leave_nothing_behind(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """An answer that is no picture does not live on with its error."""
    size = 4_000_000
    async with model_on() as model:
        before = held_bytes()
        emulator.script([{"scenario": "oversize", "size_bytes": size}] * CALLS)
        errors = [
            await asyncio.gather(model.generate(request_for(photo)), return_exceptions=True) for _ in range(CALLS)
        ]
        held = held_bytes() - before

    assert len(errors) == CALLS
    assert held < LAST_ONES * size


@pytest.mark.usefixtures("_without_collector")
async def test_a_waiting_call_holds_no_photo(emulator: OpenRouterEmulator, model_on: ModelOnEmulator) -> None:
    """While the answer is waited for, neither the photo nor its base64 is in memory."""
    chunk = b"\xff\xd8\xff" + bytes(29_997)

    async def open_photo() -> AsyncIterator[bytes]:
        for _ in range(PHOTO_BYTES // len(chunk)):
            yield chunk + b""

    photo = EncodedImage(data=bytes(PHOTO_BYTES), media_type="image/jpeg", width=3, height=2)
    request = request_for(photo, open_photo=open_photo)
    emulator.script(["stall"] * CALLS)
    async with model_on() as model:
        await model.capabilities()
        before = held_bytes()
        calls = [asyncio.create_task(model.generate(request)) for _ in range(CALLS)]
        while await asyncio.to_thread(emulator.waiting) < CALLS:  # noqa: ASYNC110 - another process counts them
            await asyncio.sleep(0.01)
        held = held_bytes() - before
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)

    assert held < CALLS * 100_000
