"""Strict parser of requests, which rejects everything that OpenRouter or its providers would reject or misread.

It is stricter than OpenRouter in two ways, to reveal mistakes: it rejects unknown fields, and requests that models may
answer with text only (without `modalities`, or with the picture before the text).
"""

import re
from typing import Annotated, Any, Literal

import msgspec
import pybase64
from msgspec import Meta

from tests.emulators.openrouter.models import ASPECT_RATIOS, MODELS, EmulatedModel

MAX_PICTURES = 3
MAX_PICTURE_BYTES = 7_000_000
# Source: https://openrouter.ai/docs/api-reference/overview (`user`), and the request models of the Python SDK.
_UserId = Annotated[str, Meta(min_length=1, max_length=256)]
_Prompt = Annotated[str, Meta(min_length=1)]
_DATA_URL = re.compile(r"data:(image/(?:png|jpeg|webp));base64,")


class Refusal(Exception):
    """The request is rejected with an error in OpenRouter's format."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message


class ImageUrl(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    detail: Literal["auto", "low", "high", "original"] = "auto"


class TextPart(msgspec.Struct, forbid_unknown_fields=True, tag="text"):
    text: _Prompt


class PicturePart(msgspec.Struct, forbid_unknown_fields=True, tag="image_url"):
    image_url: ImageUrl


class UserMessage(msgspec.Struct, forbid_unknown_fields=True, tag="user", tag_field="role"):
    content: list[TextPart | PicturePart]


class ImageConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    aspect_ratio: str = "1:1"
    image_size: str | None = None


class ChatProvider(msgspec.Struct, forbid_unknown_fields=True):
    allow_fallbacks: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None


class ChatRequest(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    messages: Annotated[list[UserMessage], Meta(min_length=1, max_length=1)]
    modalities: list[Literal["image", "text"]] = []
    models: list[str] = []
    image_config: ImageConfig = ImageConfig()
    provider: ChatProvider | None = None
    user: _UserId | None = None
    stream: Literal[False] = False


class ImagesProvider(msgspec.Struct, forbid_unknown_fields=True):
    allow_fallbacks: bool | None = None


class ImagesRequest(msgspec.Struct, forbid_unknown_fields=True):
    model: str
    prompt: _Prompt
    n: Annotated[int, Meta(ge=1, le=10)] = 1
    aspect_ratio: str = "1:1"
    resolution: str | None = None
    quality: Literal["auto", "low", "medium", "high"] = "auto"
    output_format: Literal["png", "jpeg", "webp"] = "png"
    seed: int | None = None
    input_references: list[PicturePart] = []
    provider: ImagesProvider | None = None
    user: _UserId | None = None


class PictureRequest(msgspec.Struct, frozen=True):
    """A valid request for a picture, over either API."""

    model: EmulatedModel
    fallbacks: tuple[str, ...]
    aspect_ratio: str
    resolution: str
    photo: bytes


def check_authorization(header: str | None) -> None:
    """Reject a key without OpenRouter's prefix `sk-or-`; every other key is accepted.

    Raises:
        Refusal: The header is missing or has another kind of key.
    """
    if header is None or not header.startswith("Bearer "):
        raise Refusal(401, "authentication", "No auth credentials found")
    if not header.startswith("Bearer sk-or-"):
        raise Refusal(401, "authentication", "User not found.")


def read_chat(body: bytes) -> PictureRequest:
    """Parse a request to `/chat/completions`.

    Raises:
        Refusal: The request is invalid.
    """
    request = _decode(body, ChatRequest)
    model = _known_model(request.model)
    for fallback in request.models:
        _known_model(fallback)
    if "image" not in request.modalities:
        raise _invalid('`modalities` must contain "image": without it the model may answer with text only')
    if model.image_only and "text" in request.modalities:
        raise Refusal(404, "not_found", "No endpoints found that support the requested output modalities: image, text")
    parts = request.messages[0].content
    if not parts or not isinstance(parts[0], TextPart):
        raise _invalid("The text part must come before the pictures")
    pictures = [part for part in parts[1:] if isinstance(part, PicturePart)]
    if len(pictures) != len(parts) - 1:
        raise _invalid("One text part is expected")
    return PictureRequest(
        model=model,
        fallbacks=tuple(request.models),
        aspect_ratio=_known_aspect_ratio(request.image_config.aspect_ratio),
        resolution=_known_resolution(model, request.image_config.image_size),
        photo=_only_photo(pictures),
    )


def read_images(body: bytes) -> PictureRequest:
    """Parse a request to `/images`.

    Raises:
        Refusal: The request is invalid.
    """
    request = _decode(body, ImagesRequest)
    model = _known_model(request.model)
    if request.n != 1:
        raise _invalid(f"{model.id} generates one image per request")
    return PictureRequest(
        model=model,
        fallbacks=(),
        aspect_ratio=_known_aspect_ratio(request.aspect_ratio),
        resolution=_known_resolution(model, request.resolution),
        photo=_only_photo(request.input_references),
    )


def sniff(picture: bytes) -> str | None:
    """Return the media type of a picture by its first bytes."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return None


def _decode(body: bytes, type_: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise _invalid(f"Invalid request: {exc}") from exc


def _known_model(model_id: str) -> EmulatedModel:
    try:
        return MODELS[model_id]
    except KeyError:
        raise _invalid(f"{model_id} is not a valid model ID") from None


def _known_aspect_ratio(aspect_ratio: str) -> str:
    if aspect_ratio not in ASPECT_RATIOS:
        raise _invalid(f"Invalid aspect_ratio: {aspect_ratio}")
    return aspect_ratio


def _known_resolution(model: EmulatedModel, resolution: str | None) -> str:
    if resolution is None:
        return "1K" if "1K" in model.resolutions else model.resolutions[0]
    if resolution not in model.resolutions:
        raise _invalid(f"{model.id} does not support {resolution}; it has {', '.join(model.resolutions)}")
    return resolution


def _only_photo(parts: list[PicturePart]) -> bytes:
    if not 1 <= len(parts) <= MAX_PICTURES:
        raise _invalid(f"1 to {MAX_PICTURES} pictures are expected")
    photo, *_ = [_photo(part.image_url.url) for part in parts]
    return photo


def _photo(url: str) -> bytes:
    if (match := _DATA_URL.match(url)) is None:
        raise Refusal(400, "unsupported_image_format", "The picture must be a PNG, JPEG or WebP data URL")
    try:
        photo = pybase64.b64decode(url[match.end() :], validate=True)
    except ValueError as exc:
        raise Refusal(400, "invalid_image", "The picture's base64 is malformed") from exc
    if len(photo) > MAX_PICTURE_BYTES:
        raise Refusal(400, "image_too_large", f"The picture is larger than {MAX_PICTURE_BYTES} bytes")
    if sniff(photo) != match[1]:
        raise Refusal(400, "invalid_image", f"The picture is not {match[1]}")
    return photo


def _invalid(message: str) -> Refusal:
    return Refusal(400, "invalid_request", message)
