"""Requests of both APIs, with a streamed body."""

from collections.abc import AsyncIterator
from typing import Any

import pybase64
import pytest
from openrouter.components import ChatRequest, ImageGenerationRequest

from plushify_adapters.openrouter import Api, OpenRouterModel, OpenRouterOptions
from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing
from plushify_core.ports import EncodedImage, ModelError
from tests.adapters.openrouter.support import KEY, PROMPT, ModelOnEmulator, in_chunks, request_for
from tests.emulators.process import OpenRouterEmulator

pytestmark = pytest.mark.anyio


def data_url(photo: EncodedImage) -> str:
    """Return the photo as a data URL."""
    return f"data:{photo.media_type};base64,{pybase64.b64encode_as_string(photo.data)}"


async def test_chat_request(emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage) -> None:
    """A chat request has the prompt before the photo, asks for an image, and denies data collection."""
    async with model_on() as model:
        await model.generate(request_for(photo))

    [call] = emulator.calls()
    assert call["path"] == "/api/v1/chat/completions"
    assert call["body"] == {
        "model": "google/gemini-2.5-flash-image",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": PROMPT},
                    {"type": "image_url", "image_url": {"url": data_url(photo)}},
                ],
            }
        ],
        "modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "3:2"},
        "provider": {"allow_fallbacks": True, "data_collection": "deny"},
        "user": "0123456789abcdef",
        "stream": False,
    }
    assert ChatRequest.model_validate(call["body"]).messages


async def test_images_request(emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage) -> None:
    """An images request has the photo as its only input reference, and no option that this API lacks."""
    async with model_on(api=Api.IMAGES, fallback_models=("google/gemini-3-pro-image",)) as model:
        await model.generate(request_for(photo))

    [call] = emulator.calls()
    assert call["path"] == "/api/v1/images"
    assert call["body"] == {
        "model": "google/gemini-2.5-flash-image",
        "prompt": PROMPT,
        "n": 1,
        "aspect_ratio": "3:2",
        "input_references": [{"type": "image_url", "image_url": {"url": data_url(photo)}}],
        "user": "0123456789abcdef",
    }
    assert ImageGenerationRequest.model_validate(call["body"]).input_references


@pytest.mark.parametrize("api", list(Api))
async def test_headers(api: Api, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage) -> None:
    """The request has the key, the URL and name of the application, and the length of the body."""
    async with model_on(api=api, app_url="https://plushify.example", app_title="Plushify & friends") as model:
        await model.generate(request_for(photo))

    headers = emulator.calls()[0]["headers"]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["HTTP-Referer"] == "https://plushify.example"
    assert headers["X-OpenRouter-Title"] == "Plushify & friends"
    assert headers["Content-Type"] == "application/json"
    assert int(headers["Content-Length"]) > len(data_url(photo))
    assert "Transfer-Encoding" not in headers


async def test_sends_fallback_models_and_privacy_options(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """The request has the configured fallback models and privacy options."""
    options: dict[str, Any] = {
        "fallback_models": ("google/gemini-3-pro-image", "openai/gpt-5-image"),
        "data_collection": None,
        "zero_data_retention": True,
    }
    async with model_on(**options) as model:
        await model.generate(request_for(photo))

    body = emulator.calls()[0]["body"]
    assert body["models"] == ["google/gemini-3-pro-image", "openai/gpt-5-image"]
    assert body["provider"] == {"allow_fallbacks": True, "zdr": True}


async def test_does_not_request_text_from_an_image_only_model(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """A model that outputs pictures only is not asked for text."""
    async with model_on(model="black-forest-labs/flux.2-pro") as model:
        await model.generate(request_for(photo))

    assert emulator.calls()[0]["body"]["modalities"] == ["image"]


@pytest.mark.parametrize("api", list(Api))
@pytest.mark.parametrize(
    ("model_name", "longest_side_px", "resolution"),
    [
        ("google/gemini-2.5-flash-image", 2048, None),
        ("google/gemini-3.1-flash-image", 512, "512"),
        ("google/gemini-3-pro-image", 512, "1K"),
        ("google/gemini-3-pro-image", 2048, "2K"),
        ("google/gemini-3-pro-image", 2049, "4K"),
        ("google/gemini-3-pro-image", 9000, "4K"),
        ("bytedance-seed/seedream-4.5", 512, "2K"),
    ],
)
async def test_requests_the_resolution_for_the_quality(
    api: Api,
    model_name: str,
    longest_side_px: int,
    resolution: str | None,
    emulator: OpenRouterEmulator,
    model_on: ModelOnEmulator,
    photo: EncodedImage,
) -> None:
    """The request has the smallest sufficient resolution, or else the largest; none if the model has only 1K."""
    async with model_on(api=api, model=model_name) as model:
        await model.generate(request_for(photo, longest_side_px=longest_side_px))

    body = emulator.calls()[0]["body"]
    requested = body["image_config"].get("image_size") if api is Api.CHAT else body.get("resolution")
    assert requested == resolution


@pytest.mark.parametrize(
    ("width", "height", "aspect_ratio"),
    [
        (1000, 1000, "1:1"),
        (1040, 1000, "1:1"),
        (4000, 3000, "4:3"),
        (3000, 4000, "3:4"),
        (6000, 4000, "3:2"),
        (1080, 1920, "9:16"),
        (1080, 2400, "9:16"),
        (1920, 1080, "16:9"),
        (1350, 1080, "5:4"),
        (1080, 1350, "4:5"),
        (2000, 3000, "2:3"),
        (9000, 1000, "21:9"),
        (1000, 9000, "9:16"),
    ],
)
async def test_requests_the_nearest_aspect_ratio(
    width: int,
    height: int,
    aspect_ratio: str,
    emulator: OpenRouterEmulator,
    model_on: ModelOnEmulator,
    photo: EncodedImage,
) -> None:
    """The request has the supported aspect ratio that is nearest to the photo's own."""
    async with model_on() as model:
        await model.generate(request_for(photo, width=width, height=height))

    assert emulator.calls()[0]["body"]["image_config"] == {"aspect_ratio": aspect_ratio}


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 4, 5, 1000, 10**6])
async def test_encodes_the_photo_with_any_chunk_size(
    chunk_bytes: int, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """The streamed base64 equals that of the whole photo, wherever its chunks end."""
    photo_in_chunks = request_for(photo, open_photo=lambda: in_chunks(photo.data, chunk_bytes))

    async with model_on() as model:
        await model.generate(photo_in_chunks)

    assert emulator.calls()[0]["body"]["messages"][0]["content"][1]["image_url"]["url"] == data_url(photo)


@pytest.mark.parametrize("change", [-1, 1])
async def test_a_photo_of_another_length_is_an_unbilled_internal_error(
    change: int, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """A photo of another length than announced is an internal error. Its request stays incomplete, so is not billed."""
    data = photo.data + b"!" if change > 0 else photo.data[:-1]

    async with model_on() as model:
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo, open_photo=lambda: in_chunks(data)))

    assert (raised.value.reason, raised.value.billing) == (Reason.INTERNAL, Billing.NOT_BILLED)


async def test_each_attempt_reads_the_photo_again(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """A second attempt sends the same body as the first, and opens the photo again."""
    opened: list[None] = []

    async def open_photo() -> AsyncIterator[bytes]:
        opened.append(None)
        async for chunk in in_chunks(photo.data):
            yield chunk

    emulator.script(["rate_limited"])
    async with model_on() as model:
        await model.generate(request_for(photo, open_photo=open_photo))

    first, second = emulator.calls()
    assert first["body"] == second["body"]
    assert len(opened) == 2


@pytest.mark.parametrize("key", ["", "sk-or-ü", "sk-or-\nX-Evil: 1"])
def test_rejects_a_key_that_is_invalid_in_a_header(key: str) -> None:
    """A key that is not allowed in an HTTP header is rejected at once, with an error that omits it."""
    with pytest.raises(ValueError, match="the OpenRouter key must be printable ASCII text, and not empty"):
        OpenRouterModel(key)


@pytest.mark.parametrize(
    "options",
    [{"base_url": "openrouter.ai"}, {"max_attempts": 0}, {"model": ""}, {"app_title": "Plüschify"}, {"app_url": "\n"}],
)
def test_rejects_invalid_options(options: dict[str, Any]) -> None:
    """Options that would make every request fail are rejected at once."""
    with pytest.raises(ValueError, match=next(iter(options))):
        OpenRouterOptions(**options)
