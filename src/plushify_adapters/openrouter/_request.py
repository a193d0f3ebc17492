"""Request body, streamed so that the photo is never in memory as a whole."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pybase64

from plushify_adapters.openrouter._failures import OUR_MISTAKE, CallFailed
from plushify_adapters.openrouter._options import Api, OpenRouterOptions
from plushify_adapters.openrouter._profiles import ModelProfile
from plushify_core.ports import ModelRequest

# Aspect ratios of Gemini's image models. Source: https://openrouter.ai/docs/guides/overview/multimodal/image-generation
ASPECT_RATIOS = {
    name: int(name.partition(":")[0]) / int(name.partition(":")[2])
    for name in ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
}
_PHOTO_PLACEHOLDER = "base64 of the photo"


def nearest_aspect_ratio(width: int, height: int) -> str:
    """Return the supported aspect ratio nearest to that of a picture, by quotient: it crops or distorts least."""
    ratio = width / height
    return min(ASPECT_RATIOS, key=lambda name: max(ASPECT_RATIOS[name] / ratio, ratio / ASPECT_RATIOS[name]))


def split_body(request: ModelRequest, options: OpenRouterOptions, profile: ModelProfile) -> tuple[bytes, bytes]:
    """Return the JSON of the request in two parts: before and after the base64 of the photo."""
    build = _chat_body if options.api is Api.CHAT else _images_body
    body = msgspec.json.encode(build(request, options, profile))
    head, _, tail = body.rpartition(_PHOTO_PLACEHOLDER.encode())
    return head, tail


def _chat_body(request: ModelRequest, options: OpenRouterOptions, profile: ModelProfile) -> dict[str, Any]:
    image_config = {"aspect_ratio": nearest_aspect_ratio(request.photo_width, request.photo_height)}
    if (resolution := profile.resolution_for(request.longest_side_px)) is not None:
        image_config["image_size"] = resolution
    provider: dict[str, Any] = {"allow_fallbacks": True}
    if options.data_collection is not None:
        provider["data_collection"] = options.data_collection
    if options.zero_data_retention:
        provider["zdr"] = True
    body: dict[str, Any] = {
        "model": options.model,
        "messages": [{"role": "user", "content": [{"type": "text", "text": request.prompt}, _photo_part(request)]}],
        "modalities": ["image"] if profile.image_only else ["image", "text"],
        "image_config": image_config,
        "provider": provider,
        "user": request.user,
        "stream": False,
    }
    if options.fallback_models:
        body["models"] = options.fallback_models
    return body


def _images_body(request: ModelRequest, options: OpenRouterOptions, profile: ModelProfile) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": options.model,
        "prompt": request.prompt,
        "n": 1,
        "aspect_ratio": nearest_aspect_ratio(request.photo_width, request.photo_height),
        "input_references": [_photo_part(request)],
        "user": request.user,
    }
    if (resolution := profile.resolution_for(request.longest_side_px)) is not None:
        body["resolution"] = resolution
    return body


def _photo_part(request: ModelRequest) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:{request.photo_media_type};base64,{_PHOTO_PLACEHOLDER}"}}


@dataclass(kw_only=True, eq=False)
class RequestBody:
    """Request body of one attempt. It can be streamed once.

    Attributes:
        request: Request with the photo.
        head: JSON before the base64 of the photo.
        tail: JSON after it.
        complete: Whether the last bytes were handed to the HTTP client. Until then, the call is not billed.
        photo_error: Exception of reading the photo, kept to distinguish it from errors of the connection.
    """

    request: ModelRequest
    head: bytes
    tail: bytes
    complete: bool = field(default=False, init=False)
    photo_error: Exception | None = field(default=None, init=False)

    @property
    def size_bytes(self) -> int:
        """Value of Content-Length; base64 has 4 characters for each started group of 3 bytes."""
        return len(self.head) + (self.request.photo_size_bytes + 2) // 3 * 4 + len(self.tail)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body in chunks, and encode each chunk of the photo as it is read.

        Raises:
            CallFailed: The photo has another length than announced.
        """
        yield self.head
        size, rest = 0, b""
        try:
            async for chunk in self.request.open_photo():
                size += len(chunk)
                pending = rest + chunk if rest else chunk
                encodable = len(pending) - len(pending) % 3
                rest = pending[encodable:]
                if encodable:
                    yield pybase64.b64encode(memoryview(pending)[:encodable])
        except Exception as error:
            self.photo_error = error
            raise
        if size != self.request.photo_size_bytes:
            raise CallFailed(OUR_MISTAKE, f"the photo has {size} bytes in place of {self.request.photo_size_bytes}")
        # Set before the tail is sent: without the tail the JSON is incomplete, and OpenRouter rejects it unbilled.
        self.complete = True
        yield pybase64.b64encode(rest) + self.tail
