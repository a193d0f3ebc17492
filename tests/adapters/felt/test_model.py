"""The felt model behind its port."""

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


async def test_names_itself_as_the_preview() -> None:
    """Nobody takes the built-in model for a generative one."""
    can = await FeltModel().capabilities()

    assert (can.name, can.title, can.preview) == ("felt", "Felt preview (built in)", True)
    assert can.largest_side_px == 2048


async def test_draws_the_photo_in_the_style_and_size_asked_for() -> None:
    """The model adds nothing to the drawing but what it knows of the call: free, and by itself."""
    request = request_for(PHOTO, style="kawaii")

    result = await FeltModel().generate(request)

    assert result.data == render(PHOTO.data, "kawaii", request.longest_side_px)
    assert result.media_type == "image/png"
    assert (result.facts.model, result.facts.cost_nano_usd) == ("felt", 0)


@pytest.mark.parametrize("garbage", [b"", b"no photo", PHOTO.data[:3000]], ids=["empty", "text", "cut short"])
async def test_an_unreadable_photo_is_a_model_error(garbage: bytes) -> None:
    """A photo that cannot be read costs nothing and is not worth another try."""

    async def open_photo() -> AsyncIterator[bytes]:
        yield garbage

    with pytest.raises(ModelError) as raised:
        await FeltModel().generate(request_for(PHOTO, open_photo=open_photo))

    assert raised.value.reason is Reason.MODEL_REFUSED_INPUT
    assert raised.value.billing is Billing.NOT_BILLED
    assert raised.value.facts.cost_nano_usd == 0
    assert not raised.value.retryable


async def test_the_event_loop_runs_on_while_it_draws() -> None:
    """A drawing keeps nobody else waiting."""
    drawing = asyncio.create_task(FeltModel().generate(request_for(PHOTO)))
    turns = 0
    while not drawing.done():
        await asyncio.sleep(0.001)
        turns += 1

    assert (await drawing).data
    assert turns > 20
