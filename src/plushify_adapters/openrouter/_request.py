"""The request for a picture: what it says, and how it leaves without the photo ever being held in memory."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pybase64

from plushify_core.ports import ModelRequest

from ._failures import OUR_MISTAKE, CallFailed
from ._options import Api, OpenRouterOptions
from ._profiles import ModelProfile

# What Gemini's image models draw. Source: https://openrouter.ai/docs/guides/overview/multimodal/image-generation
ASPECT_RATIOS = {
    name: int(name.partition(":")[0]) / int(name.partition(":")[2])
    for name in ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
}
_PHOTO = "the photo stands here"


def nearest_aspect_ratio(width: int, height: int) -> str:
    """The aspect ratio that distorts or crops a picture of these sides least: the nearest by quotient."""
    own = width / height
    return min(ASPECT_RATIOS, key=lambda name: max(ASPECT_RATIOS[name] / own, own / ASPECT_RATIOS[name]))


def split_body(request: ModelRequest, options: OpenRouterOptions, profile: ModelProfile) -> tuple[bytes, bytes]:
    """The JSON of the request in two parts: what stands before the base64 of the photo, and what stands after it."""
    make = _chat_body if options.api is Api.CHAT else _images_body
    body = msgspec.json.encode(make(request, options, profile))
    head, _, tail = body.rpartition(_PHOTO.encode())
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
    return {"type": "image_url", "image_url": {"url": f"data:{request.photo_media_type};base64,{_PHOTO}"}}


class RequestBody:
    """A body on its way out. It is read once; each attempt needs a new one.

    Attributes:
        complete: whether all of it may have left. While it has not, nothing can have been billed.
        photo_error: what reading the photo raised, so that it can be told from errors of the connection.
    """

    def __init__(self, request: ModelRequest, head: bytes, tail: bytes) -> None:
        self.complete = False
        self.photo_error: Exception | None = None
        self._request = request
        self._head = head
        self._tail = tail

    @property
    def size_bytes(self) -> int:
        """The Content-Length: base64 makes 4 characters of every 3 bytes begun."""
        return len(self._head) + (self._request.photo_size_bytes + 2) // 3 * 4 + len(self._tail)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The bytes, base64 made on the way out.

        Raises:
            CallFailed: the photo is not as long as was announced.
        """
        yield self._head
        size, rest = 0, b""
        try:
            async for chunk in self._request.open_photo():
                size += len(chunk)
                whole = rest + chunk if rest else chunk
                even = len(whole) - len(whole) % 3
                rest = whole[even:]
                if even:
                    yield pybase64.b64encode(memoryview(whole)[:even])
        except Exception as error:
            self.photo_error = error
            raise
        if size != self._request.photo_size_bytes:
            raise CallFailed(OUR_MISTAKE, f"the photo has {size} bytes in place of {self._request.photo_size_bytes}")
        # Without the tail the JSON is not whole, and what is not whole is not served.
        self.complete = True
        yield pybase64.b64encode(rest) + self._tail
