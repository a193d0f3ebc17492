"""OpenRouter's published SDK accepts the answers of the emulator."""

import pybase64
import pytest
from openrouter import OpenRouter, errors
from openrouter.components import ChatResult

from plushify_core.ports import EncodedImage
from tests.adapters.openrouter.support import KEY, PROMPT
from tests.emulators.process import OpenRouterEmulator

MODEL = "google/gemini-2.5-flash-image"
PNG_IN_BASE64 = "iVBORw0KGgo"


@pytest.fixture
def photo_part(photo: EncodedImage) -> dict[str, object]:
    """The photo as a part of an SDK request."""
    data = pybase64.b64encode_as_string(photo.data)
    return {"type": "image_url", "image_url": {"url": f"data:{photo.media_type};base64,{data}"}}


def send_chat(sdk: OpenRouter, photo_part: dict[str, object]) -> ChatResult:
    """Request a picture over the chat API."""
    return sdk.chat.send(
        model=MODEL,
        messages=[{"role": "user", "content": [{"type": "text", "text": PROMPT}, photo_part]}],
        modalities=["image", "text"],
        image_config={"aspect_ratio": "1:1"},
        user="someone",
    )


def test_a_chat_answer(emulator: OpenRouterEmulator, photo_part: dict[str, object]) -> None:
    """The SDK reads a picture and its usage from a chat answer."""
    with OpenRouter(api_key=KEY, server_url=emulator.base_url) as sdk:
        result = send_chat(sdk, photo_part)

    [choice] = result.choices
    assert choice.finish_reason == "stop"
    assert choice.message.images is not None
    [image] = choice.message.images
    assert image.image_url.url.startswith(f"data:image/png;base64,{PNG_IN_BASE64}")
    assert result.usage is not None
    assert (result.usage.completion_tokens, result.usage.cost) == (1299, 0.038826)


def test_an_images_answer(emulator: OpenRouterEmulator, photo_part: dict[str, object]) -> None:
    """The SDK reads a picture and its usage from an images answer."""
    with OpenRouter(api_key=KEY, server_url=emulator.base_url) as sdk:
        result = sdk.images.generate(model=MODEL, prompt=PROMPT, input_references=[photo_part], aspect_ratio="1:1")

    [picture] = result.data
    assert picture.b64_json.startswith(PNG_IN_BASE64)
    assert picture.media_type == "image/png"
    assert result.usage is not None
    assert result.usage.cost == 0.038826


# The SDK deprecates `rate_limit`, a field of the key that it still requires.
@pytest.mark.filterwarnings("ignore:.*DEPRECATED:DeprecationWarning")
def test_key_and_models(emulator: OpenRouterEmulator) -> None:
    """The SDK reads the details of the key, the model list and the endpoints of a model."""
    with OpenRouter(api_key=KEY, server_url=emulator.base_url) as sdk:
        key = sdk.api_keys.get_current_key_metadata().data
        models = sdk.models.list(output_modalities="image").result
        endpoints = sdk.images.list_model_endpoints(author="google", slug="gemini-3-pro-image").endpoints

    assert key.limit_remaining == 10
    assert models.data[0].expiration_date == "2027-03-15"
    assert [endpoint.supported_parameters["resolution"].values for endpoint in endpoints] == [["1K", "2K", "4K"]]


def test_a_generation(emulator: OpenRouterEmulator, photo_part: dict[str, object]) -> None:
    """The SDK looks up the cost of a call by its id."""
    with OpenRouter(api_key=KEY, server_url=emulator.base_url) as sdk:
        result = send_chat(sdk, photo_part)
        generation = sdk.generations.get_generation(id=result.id).data

    assert (generation.total_cost, generation.cancelled, generation.model) == (0.038826, False, MODEL)


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        ("bad_request", errors.BadRequestResponseError),
        ("bad_key", errors.UnauthorizedResponseError),
        ("account_empty", errors.PaymentRequiredResponseError),
        ("model_gone", errors.NotFoundResponseError),
        ("payload_too_large", errors.PayloadTooLargeResponseError),
        ("unprocessable", errors.UnprocessableEntityResponseError),
        ("rate_limited", errors.TooManyRequestsResponseError),
    ],
)
def test_errors(
    scenario: str, error: type[Exception], emulator: OpenRouterEmulator, photo_part: dict[str, object]
) -> None:
    """Error answers have the format that the SDK expects for their status."""
    emulator.script([scenario])

    with OpenRouter(api_key=KEY, server_url=emulator.base_url, retry_config=None) as sdk, pytest.raises(error):
        send_chat(sdk, photo_part)
