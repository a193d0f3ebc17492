"""Memory use: a waiting call holds neither the photo nor its base64, and a finished call frees its answer."""

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
ALLOWED_ANSWERS = 3  # the thread that decoded an answer may free it a moment later


@pytest.fixture
def _garbage_collector_disabled() -> Iterator[None]:
    """Disable the garbage collector, so that objects in a reference cycle stay in memory."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    yield
    tracemalloc.stop()
    gc.enable()


def held_bytes() -> int:
    """Return the memory that Python objects occupy now, in bytes."""
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.usefixtures("_garbage_collector_disabled")
@pytest.mark.parametrize("api", list(Api))
async def test_frees_an_answer_without_the_garbage_collector(
    api: Api, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """The memory of an answer is freed before the next one, without the garbage collector."""
    async with model_on(api=api) as model:
        size = len((await model.generate(request_for(photo))).data)
        before = held_bytes()
        for _ in range(CALLS):
            await model.generate(request_for(photo))
        held = held_bytes() - before

    assert size > 500_000
    assert held < ALLOWED_ANSWERS * size


@pytest.mark.usefixtures("_garbage_collector_disabled")
async def test_an_error_does_not_hold_the_answer(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """The error for an invalid picture does not keep its answer in memory."""
    size = 4_000_000
    async with model_on() as model:
        before = held_bytes()
        emulator.script([{"scenario": "oversize", "size_bytes": size}] * CALLS)
        errors = [
            await asyncio.gather(model.generate(request_for(photo)), return_exceptions=True) for _ in range(CALLS)
        ]
        held = held_bytes() - before

    assert len(errors) == CALLS
    assert held < ALLOWED_ANSWERS * size


@pytest.mark.usefixtures("_garbage_collector_disabled")
async def test_a_waiting_call_does_not_hold_the_photo(emulator: OpenRouterEmulator, model_on: ModelOnEmulator) -> None:
    """Neither the photo nor its base64 is in memory while a call waits for its answer."""
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
