"""The image model."""

from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from plushify_core.model_call import ModelFacts


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an image model is and can do. `title` is for people; a `preview` model is no substitute for a real
    one and says so wherever a model is named. `largest_side_px` is the longest side it really draws."""

    name: str
    title: str
    largest_side_px: int
    preview: bool = False


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One picture to draw.

    `open_photo` begins a new read of the sanitised photo (`photo_size_bytes` bytes of `photo_media_type`,
    `photo_width` × `photo_height` px), so that an adapter can stream it and hold no photo while it waits.
    `longest_side_px` is the size that was sold. `user` is an opaque id, stable for one user. An answer after
    `timeout_s` is of no use; the use case stops waiting then whatever the adapter does.
    """

    prompt: str
    style: str
    photo_media_type: str
    photo_width: int
    photo_height: int
    photo_size_bytes: int
    open_photo: Callable[[], AsyncIterator[bytes]]
    longest_side_px: int
    user: str
    timeout_s: float


class ModelResult(msgspec.Struct, frozen=True, kw_only=True):
    """A drawn picture as the model delivered it, and what the provider said about the call."""

    data: bytes
    media_type: str
    facts: ModelFacts


class ImageModel(Protocol):
    """Draws a plushie from a photo. Implementations are safe to call many times at once."""

    async def capabilities(self) -> Capabilities:
        """What the model can do. Never fails: an adapter that cannot ask answers from what it knows."""
        ...

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Draw one picture.

        Calls the paid service at most once, unless the earlier outcome is known not to be billed. The bytes
        are a picture that `ImageCodec.finish` reads, or the codec's error settles the generation as failed.

        Raises:
            ModelError: there is no picture. No other exception, except what `open_photo` raises (unchanged)
                and cancellation.
        """
        ...
