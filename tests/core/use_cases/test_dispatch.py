"""Dispatch: it is committed before the model is called, and refused without a photo or time."""

import asyncio

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Reason, Status
from plushify_core.domain.model_call import ModelCall, SecondDispatch
from plushify_core.ports import ModelRequest, ModelResult
from tests.broken import BrokenStore
from tests.in_memory import InMemoryPlushify, failure_reason
from tests.virtual_time import on_virtual_time


@on_virtual_time
async def test_commits_before_the_model_is_called() -> None:
    """When the model is called, the stored generation is already running."""
    seen: list[Status] = []

    class Observer(MemoryImageModel):
        async def generate(self, request: ModelRequest) -> ModelResult:
            """Record the stored status, then draw."""
            seen.append((await plushify.row(generation.id)).status)
            return await super().generate(request)

    plushify = InMemoryPlushify(model=Observer())
    generation = await plushify.submit()
    await plushify.generate.run(generation.id)

    assert seen == [Status.RUNNING]


@on_virtual_time
async def test_refuses_after_the_deadline() -> None:
    """After the deadline, the generation times out and is refunded, and the model is not called."""
    plushify = InMemoryPlushify()
    submitted = await plushify.submit()
    await asyncio.sleep(60)

    generation = await plushify.generate.run(submitted.id)

    assert failure_reason(generation) is Reason.TIMEOUT
    assert plushify.model.requests == []
    assert await plushify.call(generation.id) is None
    assert await plushify.balance() == 3


@on_virtual_time
async def test_refuses_without_the_photo() -> None:
    """A generation whose photo is missing is refunded, and the model is not called."""
    plushify = InMemoryPlushify()
    submitted = await plushify.submit()
    plushify.blobs.blobs.clear()
    await asyncio.sleep(20)  # until its lease expires, the submission may still be storing the photo

    generation = await plushify.generate.run(submitted.id)

    assert (failure_reason(generation), generation.original) == (Reason.INTERRUPTED, None)
    assert plushify.model.requests == []
    assert await plushify.balance() == 3


@on_virtual_time
async def test_commit_whose_answer_is_lost() -> None:
    """If the commit of a dispatch seems to fail, the model is never called, and the sweep refunds."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    submitted = await plushify.submit()
    store.lost_answers = 1
    with pytest.raises(ConnectionError):
        await plushify.generate.run(submitted.id)

    assert (await plushify.generate.run(submitted.id)).status is Status.RUNNING
    assert plushify.model.requests == []
    await asyncio.sleep(90)
    await plushify.sweep()
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_a_generation_is_dispatched_once() -> None:
    """A dispatch is rolled back if the generation has a model call already, and the model is not called again."""
    plushify = InMemoryPlushify()
    submitted = await plushify.submit()
    call = ModelCall(
        generation_id=submitted.id,
        user_id=submitted.user_id,
        style=submitted.style,
        quality=submitted.quality,
        model_asked="maker/model",
        started_at=plushify.clock(),
    )
    async with plushify.store.begin() as tx:
        assert await tx.model_calls.add(call)

    with pytest.raises(SecondDispatch):
        await plushify.generate.run(submitted.id)

    assert await plushify.row(submitted.id) == submitted
    assert await plushify.recorded_call(submitted.id) == call
    assert plushify.model.requests == []

    await asyncio.sleep(plushify.limits.timeout_s + plushify.limits.lease_s)
    await plushify.sweep()
    assert failure_reason(await plushify.row(submitted.id)) is Reason.INTERRUPTED
    assert await plushify.amounts() == [3, -1, 1]
