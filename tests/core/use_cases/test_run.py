"""How a generation ends: with a picture, or with its credits back."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import (
    Billing,
    Generation,
    GenerationFailed,
    Limits,
    ModelError,
    ModelFacts,
    NotFound,
    Outcome,
    Reason,
    Status,
)
from plushify_core.ports import Capabilities, ModelRequest, ModelResult
from tests.broken import BrokenBlobs, BrokenStore, StubbornModel
from tests.in_memory import PICTURES, InMemoryPlushify
from tests.virtual_time import EPOCH, on_virtual_time


def reason_of(generation: Generation) -> Reason:
    """Why it failed."""
    assert generation.failure is not None, f"it is {generation.status}"
    return generation.failure.reason


@on_virtual_time
async def test_success() -> None:
    """A generation ends with its pictures stored, its true size known, and its price spent."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=7))

    generation = await plushify.make()

    assert generation == await plushify.row(generation.id)
    assert generation.status is Status.SUCCEEDED
    assert generation.generated is not None
    assert (generation.generated.width, generation.generated.height) == (512, 256)
    assert generation.completed_at == EPOCH + timedelta(seconds=7)
    assert await plushify.pictures_of(generation.id) == sorted(PICTURES)
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_the_call_of_a_success() -> None:
    """What was called, for how much, is on record."""
    plushify = InMemoryPlushify()

    call = await plushify.call((await plushify.make()).id)

    assert call is not None
    assert (call.outcome, call.billing, call.facts.cost_nano_usd) == (Outcome.SUCCEEDED, Billing.BILLED, 39_000_000)
    assert call.model_asked == "plushify/negative"


@on_virtual_time
async def test_free_call() -> None:
    """A model that costs nothing bills nothing."""
    plushify = InMemoryPlushify(model=MemoryImageModel(cost_nano_usd=0))

    call = await plushify.call((await plushify.make()).id)

    assert call is not None
    assert call.billing is Billing.NOT_BILLED


@on_virtual_time
async def test_what_the_model_is_asked() -> None:
    """The model gets the prompt of the style, the size that was sold, and no word of who the user is."""
    plushify = InMemoryPlushify()
    generation = await plushify.make("ann@example.org")

    (request,) = plushify.model.requests

    assert (request.style, request.longest_side_px, request.timeout_s) == ("kawaii", 512, 60)
    assert "kawaii" in request.prompt
    assert "ann" not in request.user
    assert (request.photo_width, request.photo_height) == (4, 2)
    assert generation.original is not None
    assert request.photo_size_bytes == generation.original.size_bytes


@pytest.mark.parametrize("billing", list(Billing))
@pytest.mark.parametrize(
    ("reason", "retryable"),
    [(Reason.CONTENT_POLICY, False), (Reason.MODEL_UNAVAILABLE, True), (Reason.NO_PICTURE, True)],
)
@on_virtual_time
async def test_model_errors(reason: Reason, retryable: bool, billing: Billing) -> None:
    """What the model says ends the generation with that reason, and with a refund whoever pays the model."""
    plushify = InMemoryPlushify()
    facts = ModelFacts(provider_call_id="call-1", cost_nano_usd=5)
    plushify.model.fail_next(ModelError(reason, "as the test wants", retryable=retryable, billing=billing, facts=facts))

    with pytest.raises(GenerationFailed) as caught:
        await plushify.make(key="k")

    error = caught.value
    assert (error.reason, error.retryable, error.charged) == (reason, retryable, False)
    assert await plushify.amounts() == [3, -1, 1]
    generation = await plushify.submit(key="k")
    call = await plushify.call(generation.id)
    assert call is not None
    assert (call.outcome, call.billing, call.facts, call.reason) == (Outcome.FAILED, billing, facts, reason)
    assert await plushify.pictures_of(generation.id) == ["original"]


@on_virtual_time
async def test_unexpected_error() -> None:
    """An adapter that breaks its contract costs the user nothing."""
    plushify = InMemoryPlushify()
    plushify.model.fail_next(RuntimeError("a bug"))

    generation = await plushify.generate.run((await plushify.submit()).id)

    assert reason_of(generation) is Reason.INTERNAL
    assert await plushify.balance() == 3


@on_virtual_time
async def test_answer_that_is_no_picture() -> None:
    """Bytes that are no picture are no success, but the call is billed."""

    class Garbage(MemoryImageModel):
        async def generate(self, request: ModelRequest) -> ModelResult:
            """Answer with nonsense."""
            return ModelResult(data=b"moo", media_type="image/png", facts=ModelFacts(cost_nano_usd=7))

    plushify = InMemoryPlushify(model=Garbage())
    generation = await plushify.generate.run((await plushify.submit()).id)

    assert reason_of(generation) is Reason.NO_PICTURE
    assert await plushify.balance() == 3
    call = await plushify.call(generation.id)
    assert call is not None
    assert (call.billing, call.facts.cost_nano_usd) == (Billing.BILLED, 7)


@on_virtual_time
async def test_the_dispatch_is_committed_before_the_call() -> None:
    """Whatever dies during the call: the row says that there may have been one."""
    seen: list[Status] = []

    class Looking(MemoryImageModel):
        async def generate(self, request: ModelRequest) -> ModelResult:
            """Look at the row first."""
            seen.append((await plushify.row(generation.id)).status)
            return await super().generate(request)

    plushify = InMemoryPlushify(model=Looking())
    generation = await plushify.submit()
    await plushify.generate.run(generation.id)

    assert seen == [Status.RUNNING]


@on_virtual_time
async def test_run_in_parallel_late_and_twice() -> None:
    """However many processes run a generation: one call to the model."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=1))
    generation = await plushify.submit()

    parallel = await asyncio.gather(*(plushify.generate.run(generation.id) for _ in range(20)))
    late = await plushify.generate.run(generation.id)

    assert sorted(result.status for result in parallel) == [Status.RUNNING] * 19 + [Status.SUCCEEDED]
    assert late.status is Status.SUCCEEDED
    assert len(plushify.model.requests) == 1
    assert await plushify.balance() == 2


@on_virtual_time
async def test_run_of_nothing() -> None:
    """What does not exist cannot be run."""
    with pytest.raises(NotFound):
        await InMemoryPlushify().generate.run(UUID(int=7))


@on_virtual_time
async def test_duplicate_requests() -> None:
    """A request sent fifty times at once, while its photo is on the way: one generation, drawn and paid once."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()), model=MemoryImageModel(delay_s=1))
    blobs.delays_s = {"put original": 1}

    generations = await asyncio.gather(*(plushify.make(key="k") for _ in range(50)))

    assert len({generation.id for generation in generations}) == 1
    assert sum(generation.status is Status.SUCCEEDED for generation in generations) == 1
    assert len(plushify.model.requests) == 1
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_deadline() -> None:
    """A model that never answers is not waited for any longer than the deadline; the user pays nothing."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=10_000))

    generation = await plushify.generate.run((await plushify.submit()).id)

    assert reason_of(generation) is Reason.TIMEOUT
    assert generation.completed_at == EPOCH + timedelta(seconds=60)
    assert await plushify.balance() == 3


@on_virtual_time
async def test_deadline_counts_from_the_submission() -> None:
    """What waited for its dispatch has less time left."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=10_000))
    submitted = await plushify.submit()
    await asyncio.sleep(45)

    generation = await plushify.generate.run(submitted.id)

    assert generation.completed_at == EPOCH + timedelta(seconds=60)
    assert [request.timeout_s for request in plushify.model.requests] == [15]


@on_virtual_time
async def test_too_late_to_begin() -> None:
    """After the deadline nobody calls the model any more."""
    plushify = InMemoryPlushify()
    submitted = await plushify.submit()
    await asyncio.sleep(60)

    generation = await plushify.generate.run(submitted.id)

    assert reason_of(generation) is Reason.TIMEOUT
    assert plushify.model.requests == []
    assert await plushify.call(generation.id) is None
    assert await plushify.balance() == 3


@on_virtual_time
async def test_deadline_of_a_stubborn_model() -> None:
    """A model that swallows its cancellation is left behind: the user is answered, and the late picture removed."""
    plushify = InMemoryPlushify(model=StubbornModel(delay_s=90))

    generation = await plushify.generate.run((await plushify.submit()).id)

    assert reason_of(generation) is Reason.TIMEOUT
    assert plushify.clock() == EPOCH + timedelta(seconds=60)
    await plushify.generate.wait_for_cleanup()
    assert plushify.clock() == EPOCH + timedelta(seconds=90)
    assert await plushify.pictures_of(generation.id) == ["original"]
    assert await plushify.balance() == 3


@on_virtual_time
async def test_late_picture_of_a_stubborn_model() -> None:
    """A picture that is drawn after the deadline is not stored, not even for a moment."""
    stored: list[str] = []

    class Watched(BrokenBlobs):
        async def put(self, key: str, data: bytes, *, media_type: str) -> None:
            """Store it, where a test sees it."""
            stored.append(key.rsplit("/", 1)[1])
            await super().put(key, data, media_type=media_type)

    plushify = InMemoryPlushify(blobs=Watched(), model=StubbornModel(delay_s=90))
    await plushify.generate.run((await plushify.submit()).id)
    await plushify.generate.wait_for_cleanup()

    assert stored == ["original"]


@on_virtual_time
async def test_cost_of_an_answer_after_the_deadline() -> None:
    """What a late answer cost is on record, though its generation has failed long since."""
    plushify = InMemoryPlushify(model=StubbornModel(delay_s=90))
    generation = await plushify.generate.run((await plushify.submit()).id)
    await plushify.generate.wait_for_cleanup()

    call = await plushify.call(generation.id)

    assert call is not None
    assert (call.outcome, call.reason) == (Outcome.INTERRUPTED, Reason.TIMEOUT)
    assert (call.billing, call.facts.cost_nano_usd) == (Billing.BILLED, 39_000_000)


@on_virtual_time
async def test_late_picture_of_a_slow_storage() -> None:
    """A picture that is stored after the deadline is removed, whatever of it had been stored."""

    class Stubborn(BrokenBlobs):
        async def put(self, key: str, data: bytes, *, media_type: str) -> None:
            """Take 40 seconds, cancelled or not."""
            storing = asyncio.ensure_future(super().put(key, data, media_type=media_type))
            while not storing.done():
                try:
                    await asyncio.shield(storing)
                except asyncio.CancelledError:
                    continue

    plushify = InMemoryPlushify(blobs=(blobs := Stubborn()))
    blobs.delays_s = {"put generated": 40, "put thumbnail": 40}

    generation = await plushify.generate.run((await plushify.submit()).id)
    await plushify.generate.wait_for_cleanup()

    assert reason_of(generation) is Reason.TIMEOUT
    assert plushify.clock() > EPOCH + timedelta(seconds=60)
    assert await plushify.pictures_of(generation.id) == ["original"]


@pytest.mark.parametrize("at_s", [0, 1, 10])
@on_virtual_time
async def test_cancelled(at_s: float) -> None:
    """Whenever a run is cancelled, it ends its generation with a refund."""

    class Unhurried(MemoryImageModel):
        async def capabilities(self) -> Capabilities:
            """Take a moment."""
            await asyncio.sleep(2)
            return await super().capabilities()

    plushify = InMemoryPlushify(model=Unhurried(delay_s=20))
    submitted = await plushify.submit()
    start = plushify.clock()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(at_s)

    run.cancel()
    await asyncio.wait({run})

    assert run.cancelled() or at_s == 0  # a coroutine that has not begun does nothing, and the sweep goes on
    generation = await plushify.row(submitted.id)
    if at_s:
        assert plushify.clock() - start <= timedelta(seconds=10)
        assert reason_of(generation) is Reason.INTERRUPTED
        assert await plushify.balance() == 3


@on_virtual_time
async def test_cancelled_while_it_settles() -> None:
    """A success that is being committed when the run is cancelled stands."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=MemoryImageModel(delay_s=1))
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(0.5)
    store.refusals = 3
    await asyncio.sleep(1)  # it waits to try again

    run.cancel()
    await asyncio.wait({run})

    assert run.cancelled()
    assert (await plushify.row(submitted.id)).status is Status.SUCCEEDED
    assert await plushify.amounts() == [3, -1]


@pytest.mark.parametrize("name", ["put generated", "put thumbnail"])
@on_virtual_time
async def test_picture_that_cannot_be_stored(name: str) -> None:
    """A picture that cannot be kept is none: refunded, and nothing left of it. The call is billed."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.refused = {name}

    generation = await plushify.generate.run((await plushify.submit()).id)
    await plushify.generate.wait_for_cleanup()

    assert reason_of(generation) is Reason.STORAGE_UNAVAILABLE
    assert await plushify.pictures_of(generation.id) == ["original"]
    assert await plushify.balance() == 3
    call = await plushify.call(generation.id)
    assert call is not None
    assert call.billing is Billing.BILLED


@pytest.mark.parametrize("name", ["keys", "read original"])
@on_virtual_time
async def test_photo_that_cannot_be_read(name: str) -> None:
    """When the storage fails before the model has the photo, the generation ends with a refund."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    submitted = await plushify.submit()
    blobs.refused = {name}

    generation = await plushify.generate.run(submitted.id)

    assert reason_of(generation) is Reason.STORAGE_UNAVAILABLE
    assert await plushify.balance() == 3


@on_virtual_time
async def test_photo_that_is_gone() -> None:
    """A photo that somebody took away from the storage ends its generation with a refund, without a call."""
    plushify = InMemoryPlushify()
    submitted = await plushify.submit()
    plushify.blobs.blobs.clear()
    await asyncio.sleep(20)  # nobody may be storing it any more

    generation = await plushify.generate.run(submitted.id)

    assert (reason_of(generation), generation.original) == (Reason.INTERRUPTED, None)
    assert plushify.model.requests == []
    assert await plushify.balance() == 3


@pytest.mark.parametrize("attempts", [1, 4])
@on_virtual_time
async def test_settling_that_fails_at_first(attempts: int) -> None:
    """An end that cannot be committed is tried again, and loses nothing."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=MemoryImageModel(delay_s=1))
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(0.5)

    store.refusals = attempts

    assert (await run).status is Status.SUCCEEDED
    assert await plushify.pictures_of(submitted.id) == sorted(PICTURES)
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_settling_that_is_reported_as_failed() -> None:
    """A success that stands though its commit seemed to fail keeps its pictures."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=MemoryImageModel(delay_s=1))
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(0.5)

    store.lost_answers = 3

    assert (await run).status is Status.SUCCEEDED
    await plushify.generate.wait_for_cleanup()
    assert await plushify.pictures_of(submitted.id) == sorted(PICTURES)
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_refund_that_is_reported_as_failed() -> None:
    """A refund that stands though its commit seemed to fail is not paid again."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=MemoryImageModel(delay_s=1))
    plushify.model.fail_next(ModelError(Reason.NO_PICTURE, "nothing", retryable=True, billing=Billing.UNKNOWN))
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(0.5)

    store.lost_answers = 3

    assert reason_of(await run) is Reason.NO_PICTURE
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_settling_that_fails_for_good() -> None:
    """An end that can never be committed is left to the sweeps, which refund and then remove the picture."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=MemoryImageModel(delay_s=1))
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(0.5)
    store.refusals = 5

    with pytest.raises(ConnectionError):
        await run

    assert (await plushify.row(submitted.id)).status is Status.RUNNING
    await asyncio.sleep(90)
    await plushify.sweep()
    assert reason_of(await plushify.row(submitted.id)) is Reason.INTERRUPTED
    await asyncio.sleep(120)
    await plushify.sweep()
    assert await plushify.pictures_of(submitted.id) == ["original"]
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_cost_that_is_known_before_the_sweep() -> None:
    """A bill that comes while the database is away at the deadline is kept by the sweep that ends the generation."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=80))
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(59)
    store.refusals = 5
    with pytest.raises(ConnectionError):
        await run
    await plushify.generate.wait_for_cleanup()

    between = await plushify.call(submitted.id)
    await asyncio.sleep(30)
    await plushify.sweep()

    assert between is not None
    assert (between.outcome, between.billing) == (Outcome.CALLING, Billing.BILLED)
    call = await plushify.call(submitted.id)
    assert call is not None
    assert (call.outcome, call.billing, call.facts) == (Outcome.INTERRUPTED, Billing.BILLED, between.facts)


@on_virtual_time
async def test_success_after_a_sweep() -> None:
    """A success that comes after its refund changes nothing but the record of what it cost."""
    plushify = InMemoryPlushify(
        limits=Limits(lease_margin_s=1), store=(store := BrokenStore()), model=MemoryImageModel(delay_s=58)
    )
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(57)
    store.refusals = 4  # the last try is at 58 + 7.6 seconds
    await asyncio.sleep(7)
    await plushify.sweep()

    generation = await run
    await plushify.generate.wait_for_cleanup()

    assert reason_of(generation) is Reason.INTERRUPTED
    assert await plushify.amounts() == [3, -1, 1]
    assert await plushify.pictures_of(submitted.id) == ["original"]
    call = await plushify.call(submitted.id)
    assert call is not None
    assert (call.outcome, call.billing, call.facts.cost_nano_usd) == (Outcome.INTERRUPTED, Billing.BILLED, 39_000_000)


@on_virtual_time
async def test_dispatch_whose_answer_is_lost() -> None:
    """When nobody knows whether the dispatch stands, the model is not called, and the sweep refunds."""
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
async def test_late_picture_of_what_could_not_be_settled() -> None:
    """A picture that comes after the sweep is removed too, though the database was away at the deadline."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=100))
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(59)
    store.refusals = 5
    with pytest.raises(ConnectionError):
        await run
    await asyncio.sleep(30)
    await plushify.sweep()

    await plushify.generate.wait_for_cleanup()

    assert reason_of(await plushify.row(submitted.id)) is Reason.INTERRUPTED
    assert await plushify.pictures_of(submitted.id) == ["original"]
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_dispatch_that_takes_until_the_deadline() -> None:
    """The model is not called when its answer could only be late."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    submitted = await plushify.submit()
    await asyncio.sleep(59)
    store.commit_delay_s = 2

    generation = await plushify.generate.run(submitted.id)

    assert reason_of(generation) is Reason.TIMEOUT
    assert plushify.model.requests == []
    call = await plushify.call(generation.id)
    assert call is not None
    assert call.billing is Billing.NOT_BILLED


@on_virtual_time
async def test_photo_that_goes_while_it_is_drawn() -> None:
    """A photo that is gone when the model opens it ends the generation, whose row no longer names it."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    submitted = await plushify.submit()
    blobs.delays_s = {"read original": 1}
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(0.5)
    blobs.blobs.clear()

    generation = await run

    assert (reason_of(generation), generation.original) == (Reason.INTERRUPTED, None)
    assert await plushify.balance() == 3
    call = await plushify.call(generation.id)
    assert call is not None
    assert call.billing is Billing.NOT_BILLED


@on_virtual_time
async def test_success_of_what_is_erased() -> None:
    """A process that slept while its generation was refunded, deleted and erased leaves nothing behind."""
    limits = Limits(lease_margin_s=1, late_write_s=1, undo_delete_s=0)
    plushify = InMemoryPlushify(limits=limits, store=(store := BrokenStore()), model=MemoryImageModel(delay_s=58))
    submitted = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(submitted.id))
    await asyncio.sleep(57)
    store.refusals = 4
    await asyncio.sleep(7)
    await plushify.sweep()
    await plushify.gallery.delete("ann", submitted.id)
    await asyncio.sleep(1)
    await plushify.sweep()

    with pytest.raises(NotFound):
        await run

    await plushify.generate.wait_for_cleanup()
    assert plushify.blobs.blobs == {}
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_late_cost_that_cannot_be_recorded() -> None:
    """A late bill that cannot be recorded is written to the log, and hurts nobody."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=90))
    generation = await plushify.generate.run((await plushify.submit()).id)
    store.refusals = 1

    await plushify.generate.wait_for_cleanup()

    call = await plushify.call(generation.id)
    assert call is not None
    assert call.billing is Billing.UNKNOWN
