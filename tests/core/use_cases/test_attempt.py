"""Attempt at a picture: the request to the model, bad answers, failing storage, and the deadline."""

import asyncio
from datetime import timedelta

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, ModelFacts, Outcome, Reason
from plushify_core.ports import ModelRequest, ModelResult
from tests.broken import BrokenBlobs, BrokenStore, StubbornBlobs, StubbornModel
from tests.in_memory import InMemoryPlushify, failure_reason
from tests.virtual_time import EPOCH, on_virtual_time


@on_virtual_time
async def test_request_to_the_model() -> None:
    """The request has the prompt of the style, the size that was paid for, and an opaque id of the user."""
    plushify = InMemoryPlushify()
    generation = await plushify.make("ann@example.org")

    (request,) = plushify.model.requests

    assert (request.style, request.longest_side_px, request.timeout_s) == ("kawaii", 512, 60)
    assert "kawaii" in request.prompt
    assert "ann" not in request.user
    assert (request.photo_width, request.photo_height) == (4, 2)
    assert generation.original is not None
    assert request.photo_size_bytes == generation.original.size_bytes


@on_virtual_time
async def test_unexpected_error() -> None:
    """An exception that the contract of the model does not allow fails the generation with a refund."""
    plushify = InMemoryPlushify()
    plushify.model.fail_next(RuntimeError("a bug"))

    generation = await plushify.submit_and_run()

    assert failure_reason(generation) is Reason.INTERNAL
    assert await plushify.balance() == 3


@on_virtual_time
async def test_answer_that_is_not_a_picture() -> None:
    """An answer that is not a picture fails the generation with a refund, and the call is recorded as billed."""

    class Garbage(MemoryImageModel):
        async def generate(self, request: ModelRequest) -> ModelResult:
            """Return bytes that are not a picture."""
            return ModelResult(data=b"moo", media_type="image/png", facts=ModelFacts(cost_nano_usd=7))

    plushify = InMemoryPlushify(model=Garbage())
    generation = await plushify.submit_and_run()

    assert failure_reason(generation) is Reason.NO_PICTURE
    assert await plushify.balance() == 3
    call = await plushify.recorded_call(generation.id)
    assert (call.billing, call.facts.cost_nano_usd) == (Billing.BILLED, 7)


@pytest.mark.parametrize("name", ["put generated", "put thumbnail"])
@on_virtual_time
async def test_picture_that_cannot_be_stored(name: str) -> None:
    """If a picture cannot be stored, the generation is refunded, its blobs are removed, and the call is billed."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.refused = {name}

    generation = await plushify.submit_and_run()
    await plushify.generate.wait_for_cleanup()

    assert failure_reason(generation) is Reason.STORAGE_UNAVAILABLE
    assert await plushify.pictures_of(generation.id) == ["original"]
    assert await plushify.balance() == 3
    assert (await plushify.recorded_call(generation.id)).billing is Billing.BILLED


@pytest.mark.parametrize("name", ["keys", "read original"])
@on_virtual_time
async def test_photo_that_cannot_be_read(name: str) -> None:
    """If the blob store fails before the model has the photo, the generation is refunded."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    submitted = await plushify.submit()
    blobs.refused = {name}

    generation = await plushify.generate.run(submitted.id)

    assert failure_reason(generation) is Reason.STORAGE_UNAVAILABLE
    assert await plushify.balance() == 3


@on_virtual_time
async def test_photo_that_disappears_after_the_dispatch() -> None:
    """If the photo is missing when the model opens it, the generation is refunded and its row names no original."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"read original": 1}
    _, run = await plushify.start_run(wait_s=0.5)
    blobs.blobs.clear()

    generation = await run

    assert (failure_reason(generation), generation.original) == (Reason.INTERRUPTED, None)
    assert await plushify.balance() == 3
    assert (await plushify.recorded_call(generation.id)).billing is Billing.NOT_BILLED


@on_virtual_time
async def test_deadline() -> None:
    """A model that does not answer until the deadline fails the generation with a refund."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=10_000))

    generation = await plushify.submit_and_run()

    assert failure_reason(generation) is Reason.TIMEOUT
    assert generation.completed_at == EPOCH + timedelta(seconds=60)
    assert await plushify.balance() == 3


@on_virtual_time
async def test_deadline_counts_from_the_submission() -> None:
    """The model has only the time that is left since the submission."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=10_000))
    submitted = await plushify.submit()
    await asyncio.sleep(45)

    generation = await plushify.generate.run(submitted.id)

    assert generation.completed_at == EPOCH + timedelta(seconds=60)
    assert [request.timeout_s for request in plushify.model.requests] == [15]


@on_virtual_time
async def test_dispatch_that_takes_until_the_deadline() -> None:
    """If the dispatch is committed only after the deadline, the model is not called."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    submitted = await plushify.submit()
    await asyncio.sleep(59)
    store.commit_delay_s = 2

    generation = await plushify.generate.run(submitted.id)

    assert failure_reason(generation) is Reason.TIMEOUT
    assert plushify.model.requests == []
    assert (await plushify.recorded_call(generation.id)).billing is Billing.NOT_BILLED


@on_virtual_time
async def test_deadline_of_a_model_that_ignores_cancellation() -> None:
    """If the model ignores its cancellation, the generation still ends at its deadline, without the late picture."""
    plushify = InMemoryPlushify(model=StubbornModel(delay_s=90))

    generation = await plushify.submit_and_run()

    assert failure_reason(generation) is Reason.TIMEOUT
    assert plushify.clock() == EPOCH + timedelta(seconds=60)
    await plushify.generate.wait_for_cleanup()
    assert plushify.clock() == EPOCH + timedelta(seconds=90)
    assert await plushify.pictures_of(generation.id) == ["original"]
    assert await plushify.balance() == 3


@on_virtual_time
async def test_late_picture_is_not_stored() -> None:
    """A picture that the model returns after the deadline is never passed to the blob store."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()), model=StubbornModel(delay_s=90))

    await plushify.submit_and_run()
    await plushify.generate.wait_for_cleanup()

    assert blobs.put_calls == ["original"]


@on_virtual_time
async def test_late_picture_that_was_stored() -> None:
    """Pictures that a slow blob store stores after the deadline are removed."""
    plushify = InMemoryPlushify(blobs=(blobs := StubbornBlobs()))
    blobs.delays_s = {"put generated": 40, "put thumbnail": 40}

    generation = await plushify.submit_and_run()
    await plushify.generate.wait_for_cleanup()

    assert failure_reason(generation) is Reason.TIMEOUT
    assert plushify.clock() > EPOCH + timedelta(seconds=60)
    assert await plushify.pictures_of(generation.id) == ["original"]


@on_virtual_time
async def test_cost_of_a_late_answer() -> None:
    """The cost of an answer after the deadline is recorded, although the generation has already failed."""
    plushify = InMemoryPlushify(model=StubbornModel(delay_s=90))
    generation = await plushify.submit_and_run()
    await plushify.generate.wait_for_cleanup()

    call = await plushify.recorded_call(generation.id)

    assert (call.outcome, call.reason) == (Outcome.INTERRUPTED, Reason.TIMEOUT)
    assert (call.billing, call.facts.cost_nano_usd) == (Billing.BILLED, 39_000_000)
