"""Tests of the felt model as an adapter of the port `ImageModel`."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from plushify_adapters.conformance.model import request_for
from plushify_adapters.felt import FeltModel, render
from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing
from plushify_core.ports import EncodedImage, ModelError
from tests.adapters.felt.scenes import encoded, teddy

pytestmark = pytest.mark.anyio

PHOTO = EncodedImage(data=encoded(teddy()), media_type="image/png", width=240, height=180)


async def test_describes_itself_as_a_preview() -> None:
    """The capabilities mark the built-in model as a preview, so that no page presents it as a generative model."""
    can = await FeltModel().capabilities()

    assert (can.name, can.title, can.preview) == ("felt", "Felt preview (built in)", True)
    assert can.largest_side_px == 2048


async def test_draws_the_photo_in_the_requested_style_and_size() -> None:
    """The result is the rendered picture, and its facts say that it was free."""
    request = request_for(PHOTO, style="kawaii")

    result = await FeltModel().generate(request)

    assert result.data == render(PHOTO.data, "kawaii", request.longest_side_px)
    assert result.media_type == "image/png"
    assert (result.facts.model, result.facts.cost_nano_usd) == ("felt", 0)


@pytest.mark.parametrize("garbage", [b"", b"no photo", PHOTO.data[:3000]], ids=["empty", "text", "cut short"])
async def test_an_unreadable_photo_is_a_model_error(garbage: bytes) -> None:
    """A photo that cannot be decoded raises an error that is not billed and not retryable."""

    async def open_photo() -> AsyncIterator[bytes]:
        yield garbage

    with pytest.raises(ModelError) as raised:
        await FeltModel().generate(request_for(PHOTO, open_photo=open_photo))

    assert raised.value.reason is Reason.MODEL_REFUSED_INPUT
    assert raised.value.billing is Billing.NOT_BILLED
    assert raised.value.facts.cost_nano_usd == 0
    assert not raised.value.retryable


async def test_drawing_does_not_block_the_event_loop() -> None:
    """Other tasks run while a picture is drawn."""
    drawing = asyncio.create_task(FeltModel().generate(request_for(PHOTO)))
    loop_iterations = 0
    while not drawing.done():
        await asyncio.sleep(0.001)
        loop_iterations += 1

    assert (await drawing).data
    assert loop_iterations > 20
