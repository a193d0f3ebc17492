"""One deadline holds for everything: attempts, pauses, slow answers. When it is over, the bill is told as it stands."""

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

SHORT_S = 1.0


@pytest.mark.parametrize(
    ("api", "scenario", "billing"),
    [
        (Api.CHAT, "stall", Billing.UNKNOWN),
        (Api.CHAT, "drip", Billing.UNKNOWN),
        (Api.IMAGES, "stall", Billing.NOT_BILLED),
        (Api.IMAGES, "drip", Billing.UNKNOWN),
    ],
)
async def test_an_answer_that_does_not_come_in_time(
    api: Api,
    scenario: str,
    billing: Billing,
    emulator: OpenRouterEmulator,
    model_on: ModelOnEmulator,
    photo: EncodedImage,
) -> None:
    """A chat call that is given up may be billed; one of images only once its answer has begun."""
    emulator.script([scenario])

    async with model_on(api=api) as model:
        await model.capabilities()
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=SHORT_S))

    assert (raised.value.reason, raised.value.billing) == (Reason.TIMEOUT, billing)
    assert len(emulator.calls()) == 1


async def test_the_generation_id_of_an_answer_that_began_is_kept(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """The header of an answer that does not end in time tells which call to look up."""
    emulator.script(["drip"])

    async with model_on() as model:
        await model.capabilities()
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=SHORT_S))

    assert (raised.value.facts.provider_call_id or "").startswith("gen-")


async def test_a_picture_whose_address_does_not_answer_in_time(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """What the answer said of its cost is kept, though the picture it points to never comes."""
    emulator.script([{"scenario": "image_address", "url": f"{emulator.origin}/silence"}])

    async with model_on(private_image_hosts=True) as model:
        await model.capabilities()
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=SHORT_S))

    assert (raised.value.reason, raised.value.billing) == (Reason.TIMEOUT, Billing.BILLED)
    assert raised.value.facts.cost_nano_usd == 38_826_000


async def test_a_pause_beyond_the_deadline_is_not_begun(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """When OpenRouter asks to wait for longer than there is time, the failure is told at once."""
    emulator.script(["rate_limited_40s"])

    async with model_on() as model:
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=30))

    assert raised.value.reason is Reason.MODEL_UNAVAILABLE  # waiting would have ended in TIMEOUT
    assert len(emulator.calls()) == 1


async def test_a_photo_that_does_not_come_in_time(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """While the photo is not whole, nothing is billed."""

    async def endless() -> AsyncIterator[bytes]:
        yield photo.data[:10]
        await asyncio.Event().wait()

    async with model_on() as model:
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, timeout_s=SHORT_S, open_photo=endless))

    assert (raised.value.reason, raised.value.billing) == (Reason.TIMEOUT, Billing.NOT_BILLED)


async def test_the_photos_own_timeout_is_not_ours(model_on: ModelOnEmulator, photo: EncodedImage) -> None:
    """A TimeoutError of the blob store comes out as it was."""
    error = TimeoutError("the blob store")

    async def slow() -> AsyncIterator[bytes]:
        yield photo.data[:10]
        raise error

    async with model_on() as model:
        with pytest.raises(TimeoutError) as raised:
            await model.generate(request_for(photo, open_photo=slow))

    assert raised.value is error


async def test_the_photos_own_http_error_is_not_ours(model_on: ModelOnEmulator, photo: EncodedImage) -> None:
    """An error of the same HTTP library from the blob store comes out as it was."""
    error = httpx.ReadError("the blob store")

    async def broken() -> AsyncIterator[bytes]:
        yield photo.data[:10]
        raise error

    async with model_on() as model:
        with pytest.raises(httpx.ReadError) as raised:
            await model.generate(request_for(photo, open_photo=broken))

    assert raised.value is error


async def test_nobody_listens(photo: EncodedImage) -> None:
    """A connection that cannot be made is tried again, and is never billed."""
    options = OpenRouterOptions(base_url="http://127.0.0.1:9/api/v1", first_pause_s=0, max_attempts=3)
    model = OpenRouterModel(KEY, options)

    with pytest.raises(ModelError) as raised:
        await model.generate(request_for(photo))

    await model.aclose()
    assert (raised.value.reason, raised.value.billing) == (Reason.MODEL_UNAVAILABLE, Billing.NOT_BILLED)
    assert raised.value.facts.attempts == 3


async def test_a_client_that_was_passed_in_stays_open(emulator: OpenRouterEmulator, photo: EncodedImage) -> None:
    """The client's owner closes it, not the model."""
    async with httpx.AsyncClient() as client:
        model = OpenRouterModel(KEY, OpenRouterOptions(base_url=emulator.base_url), client=client)
        await model.aclose()
        assert (await model.generate(request_for(photo))).data
