"""Image model: draws a plushie from a photo."""

from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing, ModelFacts


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Name and abilities of an image model.

    Args:
        name: name for programs.
        title: name for people.
        largest_side_px: longest side of a picture that the model can draw, in px.
        preview: whether the model only gives an impression of what a real image model draws.
    """

    name: str
    title: str
    largest_side_px: int
    preview: bool = False


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Request for one picture.

    Args:
        prompt: instruction for the model.
        style: id of the style in the catalog.
        photo_media_type: media type of the sanitised photo.
        photo_width: width of the photo, in px.
        photo_height: height of the photo, in px.
        photo_size_bytes: size of the photo, in bytes.
        open_photo: starts a new read of the photo, in chunks. An adapter can stream it, and so keeps no photo in memory
            while it waits for the answer.
        longest_side_px: size of the picture that the user paid for, in px.
        user: opaque id that is stable for one user.
        timeout_s: seconds after which the use case stops waiting, whether or not the adapter returns.
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
    """Picture as the model delivered it, and the facts that the provider reported about the call."""

    data: bytes
    media_type: str
    facts: ModelFacts


class ModelError(Exception):
    """Call to the image model that returned no picture.

    Args:
        reason: one of the reasons of `GenerationFailed`.
        detail: description for the log of the operator, never shown to the user.
        retryable: whether the same photo may succeed later. An adapter makes its own retries before it raises this.
        billing: whether the provider charges for the call.
        facts: facts that are known about the call.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        retryable: bool,
        billing: Billing,
        facts: ModelFacts | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retryable = retryable
        self.billing = billing
        self.facts = facts or ModelFacts()

    @property
    def policy(self) -> bool:
        """Whether the model refused the content of the photo."""
        return self.reason is Reason.CONTENT_POLICY


class ImageModel(Protocol):
    """Model that draws a plushie from a photo. Implementations support concurrent calls."""

    async def capabilities(self) -> Capabilities:
        """Return what the model can do. If the provider does not answer, return what is known; never raise."""
        ...

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Draw one picture.

        The adapter calls the paid service again only if all earlier calls are known not to be billed. The generation
        fails if `ImageCodec.finish` cannot read the returned bytes.

        Raises:
            ModelError: there is no picture. The only other exceptions are those of `open_photo`, unchanged, and
                cancellation.
        """
        ...


class Level(StrEnum):
    """Severity of a notice. `ERROR`: no picture can be made. `WARNING`: needs attention soon."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one check, such as "the key is valid". `subject` names what was checked."""

    level: Level
    subject: str
    detail: str


@runtime_checkable
class SelfCheck(Protocol):
    """Optional ability of an image model to check its own configuration."""

    async def self_check(self) -> Sequence[Notice]:
        """Check the key, its remaining credit, the model and so on, and return the results. Never raise."""
        ...
