"""Test data for the OpenRouter adapter: a key, a prompt and a request."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from plushify_adapters.openrouter import OpenRouterModel
from plushify_core.ports import EncodedImage, ModelRequest

KEY = "sk-or-v1-of-a-test"
PROMPT = 'Make it a plushie, and call it "Ted". Return exactly one image.'


ModelOnEmulator = Callable[..., AbstractAsyncContextManager[OpenRouterModel]]
"""Context manager for a model connected to the emulator. It takes a `key` and any option by name."""


def request_for(
    photo: EncodedImage,
    *,
    longest_side_px: int = 1024,
    timeout_s: float = 60.0,
    open_photo: Callable[[], AsyncIterator[bytes]] | None = None,
    width: int | None = None,
    height: int | None = None,
) -> ModelRequest:
    """Return a request to draw a photo."""
    return ModelRequest(
        prompt=PROMPT,
        style="classic",
        photo_media_type=photo.media_type,
        photo_width=width or photo.width,
        photo_height=height or photo.height,
        photo_size_bytes=len(photo.data),
        open_photo=open_photo or (lambda: in_chunks(photo.data)),
        longest_side_px=longest_side_px,
        user="0123456789abcdef",
        timeout_s=timeout_s,
    )


async def in_chunks(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """Yield the data in chunks. The default size is not a multiple of 3, so that chunks end within a base64 group."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
