"""One paid attempt at a picture: call the model, finish its answer, store the bytes, all within the deadline."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator

import msgspec

from plushify_core.catalog import Catalog
from plushify_core.errors import BlobMissing, Code, InvalidInput, ModelError, Reason
from plushify_core.generation import Failure, Generation, StoredImage
from plushify_core.model_call import Billing, ModelFacts, Outcome
from plushify_core.ports import BlobStore, ImageCodec, ImageModel, ModelRequest, ModelResult

log = logging.getLogger(__name__)


ORIGINAL, GENERATED, THUMBNAIL = "original", "generated", "thumbnail"


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A picture whose bytes are stored."""

    generated: StoredImage
    thumbnail: StoredImage
    placeholder: str


class NotDrawn(msgspec.Struct, frozen=True, kw_only=True):
    """No picture, and why."""

    reason: Reason
    retryable: bool = True
    outcome: Outcome = Outcome.FAILED
    original_stored: bool = True

    @property
    def failure(self) -> Failure:
        """What the generation records."""
        return Failure(code=Code.GENERATION_FAILED, reason=self.reason, retryable=self.retryable)


class Drawing:
    """The attempt, and what is known of it at every moment.

    The deadline is kept here, whatever the adapters do: work that does not stop when it is cancelled is left
    behind, and what it may still store is removed when it ends.

    Args:
        generation: a running one, dispatched by this process.
        catalog: where its style has a prompt and its quality a size.
        timeout_s: seconds until nobody waits for the picture any more.
    """

    def __init__(
        self,
        generation: Generation,
        *,
        catalog: Catalog,
        timeout_s: float,
        blobs: BlobStore,
        codec: ImageCodec,
        model: ImageModel,
    ) -> None:
        self.end: Drawn | NotDrawn = NotDrawn(reason=Reason.INTERRUPTED, outcome=Outcome.INTERRUPTED)
        self.billing = Billing.UNKNOWN
        self.facts = ModelFacts()
        self._generation = generation
        self._catalog = catalog
        self._timeout_s = timeout_s
        self._blobs = blobs
        self._codec = codec
        self._model = model
        self._work: asyncio.Task[Drawn | NotDrawn] | None = None

    async def run(self) -> None:
        """Draw until there is a picture, a failure, or no time left; `end` then says which.

        Raises:
            asyncio.CancelledError: the caller is to stop; `end` says interrupted.
        """
        if self._timeout_s <= 0:  # the dispatch itself took too long: do not pay for an answer nobody waits for
            self.end, self.billing = NotDrawn(reason=Reason.TIMEOUT), Billing.NOT_BILLED
            return
        self._work = asyncio.ensure_future(self._draw())
        try:
            await asyncio.wait({self._work}, timeout=self._timeout_s)
            if self._work.done():
                self.end = _result(self._work, self._generation)
            else:
                self.end = NotDrawn(reason=Reason.TIMEOUT, outcome=Outcome.INTERRUPTED)
        finally:
            self._work.cancel()

    async def discard(self) -> None:
        """Remove what was stored, once nothing more can be."""
        if self._work is not None:
            await asyncio.wait({self._work})
            _result(self._work, self._generation)  # an error that comes this late is only worth a line in the log
        await remove_blobs(self._blobs, self._generation, GENERATED, THUMBNAIL)

    async def _draw(self) -> Drawn | NotDrawn:
        request = self._request()
        try:
            answer = await self._model.generate(request)
        except ModelError as error:
            log.warning("generation %s: no picture: %s", self._generation.id, error)
            self.billing, self.facts = error.billing, error.facts
            return NotDrawn(reason=error.reason, retryable=error.retryable)
        except BlobMissing:
            self.billing = Billing.NOT_BILLED
            return NotDrawn(reason=Reason.INTERRUPTED, original_stored=False)
        except _OriginalUnreadable:
            log.exception("generation %s: cannot read the original", self._generation.id)
            return NotDrawn(reason=Reason.STORAGE_UNAVAILABLE)

        self.facts = answer.facts
        self.billing = Billing.NOT_BILLED if answer.facts.cost_nano_usd == 0 else Billing.BILLED
        return await self._keep(answer, request.longest_side_px)

    async def _keep(self, answer: ModelResult, longest_side_px: int) -> Drawn | NotDrawn:
        try:
            picture = await self._codec.finish(answer.data, longest_side_px=longest_side_px)
        except InvalidInput as error:
            log.warning("generation %s: the answer is no picture: %s", self._generation.id, error)
            return NotDrawn(reason=Reason.NO_PICTURE)
        generated = StoredImage(
            key=self._generation.blob_prefix + GENERATED,
            media_type=picture.media_type,
            width=picture.width,
            height=picture.height,
            size_bytes=len(picture.data),
        )
        thumbnail = StoredImage(
            key=self._generation.blob_prefix + THUMBNAIL,
            media_type=picture.thumbnail_media_type,
            width=picture.thumbnail_width,
            height=picture.thumbnail_height,
            size_bytes=len(picture.thumbnail),
        )
        try:
            for image, data in ((generated, picture.data), (thumbnail, picture.thumbnail)):
                _stop_if_cancelled()
                await self._blobs.put(image.key, data, media_type=image.media_type)
        except Exception:
            log.exception("generation %s: cannot store the picture", self._generation.id)
            return NotDrawn(reason=Reason.STORAGE_UNAVAILABLE)
        return Drawn(generated=generated, thumbnail=thumbnail, placeholder=picture.placeholder)

    def _request(self) -> ModelRequest:
        original = self._generation.original
        assert original is not None, "a running generation has its original"
        return ModelRequest(
            prompt=self._catalog.style(self._generation.style).prompt,
            style=self._generation.style,
            photo_media_type=original.media_type,
            photo_width=original.width,
            photo_height=original.height,
            photo_size_bytes=original.size_bytes,
            open_photo=lambda: self._open(original.key),
            longest_side_px=self._catalog.quality(self._generation.quality).longest_side_px,
            user=hashlib.sha256(f"plushify:{self._generation.user_id}".encode()).hexdigest()[:32],
            timeout_s=self._timeout_s,
        )

    async def _open(self, key: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._blobs.read(key):
                yield chunk
        except BlobMissing:
            raise
        except Exception as error:
            raise _OriginalUnreadable from error


class _OriginalUnreadable(Exception):
    """The blob store fails while the model's adapter reads the photo."""


def _stop_if_cancelled() -> None:
    """Store nothing for a generation that may be erased by now, though an adapter swallowed the cancellation."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def remove_blobs(blobs: BlobStore, generation: Generation, *names: str) -> None:
    """Remove what no row refers to. What cannot be removed now, a sweep removes (`Generation.untidy_since`)."""
    for name in names:
        try:
            await blobs.delete(generation.blob_prefix + name)
        except Exception:
            log.exception("generation %s: cannot remove its %s", generation.id, name)


def _result(work: "asyncio.Task[Drawn | NotDrawn]", generation: Generation) -> Drawn | NotDrawn:
    if work.cancelled():
        return NotDrawn(reason=Reason.INTERRUPTED, outcome=Outcome.INTERRUPTED)
    error = work.exception()
    if error is None:
        return work.result()
    log.error("generation %s: unexpected error", generation.id, exc_info=error)
    return NotDrawn(reason=Reason.INTERNAL)
