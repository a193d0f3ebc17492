"""Making a plushie from the submission to its end: with a picture, or with a refund."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, GenerationFailed, ModelError, ModelFacts, NotFound, Outcome, Reason, Status
from tests.in_memory import PICTURES, InMemoryPlushify
from tests.virtual_time import EPOCH, on_virtual_time


@on_virtual_time
async def test_success() -> None:
    """A succeeded generation has its pictures, their true size and its completion time, and its price is charged."""
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
async def test_model_call_of_a_success() -> None:
    """The model, the outcome and the cost of a successful call are recorded."""
    plushify = InMemoryPlushify()

    call = await plushify.recorded_call((await plushify.make()).id)

    assert (call.outcome, call.billing, call.facts.cost_nano_usd) == (Outcome.SUCCEEDED, Billing.BILLED, 39_000_000)
    assert call.model_asked == "plushify/negative"


@on_virtual_time
async def test_free_model_call() -> None:
    """A call that costs nothing is recorded as not billed."""
    plushify = InMemoryPlushify(model=MemoryImageModel(cost_nano_usd=0))

    call = await plushify.recorded_call((await plushify.make()).id)

    assert call.billing is Billing.NOT_BILLED


@pytest.mark.parametrize("billing", list(Billing))
@pytest.mark.parametrize(
    ("reason", "retryable"),
    [(Reason.CONTENT_POLICY, False), (Reason.MODEL_UNAVAILABLE, True), (Reason.NO_PICTURE, True)],
)
@on_virtual_time
async def test_model_errors(reason: Reason, retryable: bool, billing: Billing) -> None:
    """An error of the model fails the generation with its reason, and refunds it whether or not the call is billed."""
    plushify = InMemoryPlushify()
    facts = ModelFacts(provider_call_id="call-1", cost_nano_usd=5)
    plushify.model.fail_next(ModelError(reason, "as the test wants", retryable=retryable, billing=billing, facts=facts))

    with pytest.raises(GenerationFailed) as caught:
        await plushify.make(key="k")

    error = caught.value
    assert (error.reason, error.retryable, error.charged) == (reason, retryable, False)
    assert await plushify.amounts() == [3, -1, 1]
    generation = await plushify.submit(key="k")
    call = await plushify.recorded_call(generation.id)
    assert (call.outcome, call.billing, call.facts, call.reason) == (Outcome.FAILED, billing, facts, reason)
    assert await plushify.pictures_of(generation.id) == ["original"]


@on_virtual_time
async def test_concurrent_and_repeated_runs() -> None:
    """Of many concurrent and later runs of a generation, one calls the model."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=1))
    generation = await plushify.submit()

    concurrent = await asyncio.gather(*(plushify.generate.run(generation.id) for _ in range(20)))
    late = await plushify.generate.run(generation.id)

    assert sorted(result.status for result in concurrent) == [Status.RUNNING] * 19 + [Status.SUCCEEDED]
    assert late.status is Status.SUCCEEDED
    assert len(plushify.model.requests) == 1
    assert await plushify.balance() == 2


@on_virtual_time
async def test_run_of_an_unknown_generation() -> None:
    """Running a generation that does not exist raises `NotFound`."""
    with pytest.raises(NotFound):
        await InMemoryPlushify().generate.run(UUID(int=7))
