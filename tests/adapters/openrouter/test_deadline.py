"""One deadline covers attempts, pauses and slow answers, and its error reports what is known about the billing."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from plushify_adapters.openrouter import Api, OpenRouterModel, OpenRouterOptions
from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing
from plushify_core.ports import EncodedImage, ModelError
from tests.adapters.openrouter.support import KEY, ModelOnEmulator, request_for
from tests.emulators.process import OpenRouterEmulator

pytestmark = pytest.mark.anyio

SHORT_TIMEOUT_S = 1.0


@pytest.mark.parametrize(
    ("api", "scenario", "billing"),
    [
        (Api.CHAT, "stall", Billing.UNKNOWN),
        (Api.CHAT, "drip", Billing.UNKNOWN),
        (Api.IMAGES, "stall", Billing.NOT_BILLED),
        (Api.IMAGES, "drip", Billing.UNKNOWN),
    ],
)
async def test_reports_the_billing_of_a_call_that_times_out(
    api: Api,
    scenario: str,
    billing: Billing,
    emulator: OpenRouterEmulator,
    model_on: ModelOnEmulator,
    photo: EncodedImage,
) -> None:
    """A chat call that times out may be billed; an images call only after its answer has begun."""
    emulator.script([scenario])

    async with model_on(api=api) as model:
        await model.capabilities()
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=SHORT_TIMEOUT_S))

    assert (raised.value.reason, raised.value.billing) == (Reason.TIMEOUT, billing)
    assert len(emulator.calls()) == 1


async def test_keeps_the_generation_id_of_an_incomplete_answer(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """If the answer does not end in time, the error has the call id from its headers."""
    emulator.script(["drip"])

    async with model_on() as model:
        await model.capabilities()
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=SHORT_TIMEOUT_S))

    assert (raised.value.facts.provider_call_id or "").startswith("gen-")


async def test_keeps_the_cost_if_fetching_the_picture_times_out(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """If the URL in an answer does not respond in time, the error has the cost from the answer."""
    emulator.script([{"scenario": "image_address", "url": f"{emulator.origin}/silence"}])

    async with model_on(private_image_hosts=True) as model:
        await model.capabilities()
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=SHORT_TIMEOUT_S))

    assert (raised.value.reason, raised.value.billing) == (Reason.TIMEOUT, Billing.BILLED)
    assert raised.value.facts.cost_nano_usd == 38_826_000


async def test_does_not_wait_beyond_the_deadline(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """The call fails at once if `Retry-After` is longer than the remaining time."""
    emulator.script(["rate_limited_40s"])

    async with model_on() as model:
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=30))

    assert raised.value.reason is Reason.MODEL_UNAVAILABLE  # waiting would have ended in TIMEOUT
    assert len(emulator.calls()) == 1


async def test_a_call_that_times_out_before_the_photo_is_read_is_not_billed(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """A call is not billed if the photo could not be read in time."""

    async def never_ending() -> AsyncIterator[bytes]:
        yield photo.data[:10]
        await asyncio.Event().wait()

    async with model_on() as model:
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=SHORT_TIMEOUT_S, open_photo=never_ending))

    assert (raised.value.reason, raised.value.billing) == (Reason.TIMEOUT, Billing.NOT_BILLED)


async def test_passes_on_a_timeout_of_the_blob_store(model_on: ModelOnEmulator, photo: EncodedImage) -> None:
    """A TimeoutError from reading the photo is raised unchanged."""
    error = TimeoutError("the blob store")

    async def slow() -> AsyncIterator[bytes]:
        yield photo.data[:10]
        raise error

    async with model_on() as model:
        with pytest.raises(TimeoutError) as raised:
            await model.generate(request_for(photo, open_photo=slow))

    assert raised.value is error


async def test_passes_on_an_http_error_of_the_blob_store(model_on: ModelOnEmulator, photo: EncodedImage) -> None:
    """An httpx error from reading the photo is raised unchanged."""
    error = httpx.ReadError("the blob store")

    async def broken() -> AsyncIterator[bytes]:
        yield photo.data[:10]
        raise error

    async with model_on() as model:
        with pytest.raises(httpx.ReadError) as raised:
            await model.generate(request_for(photo, open_photo=broken))

    assert raised.value is error


async def test_retries_a_refused_connection(photo: EncodedImage) -> None:
    """A connection that cannot be made is retried, and is not billed."""
    options = OpenRouterOptions(base_url="http://127.0.0.1:9/api/v1", first_pause_s=0, max_attempts=3)
    model = OpenRouterModel(KEY, options)

    with pytest.raises(ModelError) as raised:
        await model.generate(request_for(photo))

    await model.aclose()
    assert (raised.value.reason, raised.value.billing) == (Reason.MODEL_UNAVAILABLE, Billing.NOT_BILLED)
    assert raised.value.facts.attempts == 3


async def test_leaves_the_callers_client_open(emulator: OpenRouterEmulator, photo: EncodedImage) -> None:
    """The model does not close an HTTP client that it was given."""
    async with httpx.AsyncClient() as client:
        model = OpenRouterModel(KEY, OpenRouterOptions(base_url=emulator.base_url), client=client)
        await model.aclose()
        assert (await model.generate(request_for(photo))).data
