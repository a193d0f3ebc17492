"""Attempt at a picture: calls the model, finishes the picture and stores it, within the deadline."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from plushify_core.domain.catalog import Catalog
from plushify_core.domain.errors import InvalidInput, Reason
from plushify_core.domain.generation import Generation, Rendition, StoredImage, blob_key
from plushify_core.domain.model_call import Billing, ModelFacts, Outcome
from plushify_core.ports import (
    BlobMissing,
    BlobStore,
    ImageCodec,
    ImageModel,
    ModelError,
    ModelRequest,
    ModelResult,
)
from plushify_core.use_cases._blob_removal import remove_renditions

log = logging.getLogger(__name__)


class Until(NamedTuple):
    """Time limits of a dispatched generation, as times of the event loop in seconds.

    The clock of the event loop is never set. The times are counted from before the transaction read the time of the
    database, so they are never too late, however long the transaction took.

    Args:
        lease_s: end of the lease, if it is not renewed.
        deadline_s: deadline of the generation.
    """

    lease_s: float
    deadline_s: float


class Succeeded(msgspec.Struct, frozen=True, kw_only=True):
    """Result of an attempt: a picture whose bytes are stored."""

    generated: StoredImage
    thumbnail: StoredImage
    placeholder: str


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """Result of an attempt: no picture, and the reason."""

    reason: Reason
    retryable: bool = True
    outcome: Outcome = Outcome.FAILED
    original_stored: bool = True


@dataclass(kw_only=True, eq=False)
class Attempt:
    """One paid attempt at the picture of a running generation.

    The deadline holds even if an adapter ignores its cancellation: the attempt stops waiting, and `discard` removes
    what the adapter stores afterwards.

    Args:
        generation: the running generation.
        until: its time limits.

    Attributes:
        result: result so far. It is "interrupted" until `run` ends.
        billing: whether the provider charges for the call, as far as known.
        facts: facts that the provider reported so far.
    """

    generation: Generation
    catalog: Catalog
    until: Until
    blobs: BlobStore
    codec: ImageCodec
    model: ImageModel
    result: Succeeded | Failed = field(
        init=False, default=Failed(reason=Reason.INTERRUPTED, outcome=Outcome.INTERRUPTED)
    )
    billing: Billing = field(init=False, default=Billing.UNKNOWN)
    facts: ModelFacts = field(init=False, default=ModelFacts())
    _work: asyncio.Task[Succeeded | Failed] | None = field(init=False, default=None)

    async def run(self) -> None:
        """Run until there is a picture, a failure or a timeout, and set `result`.

        Raises:
            asyncio.CancelledError: the caller was cancelled. `result` is "interrupted".
        """
        now_s = asyncio.get_running_loop().time()
        if now_s >= min(self.until):  # the dispatch took too long: do not pay for a picture that would be discarded
            reason = Reason.TIMEOUT if now_s >= self.until.deadline_s else Reason.INTERRUPTED
            self.result, self.billing = Failed(reason=reason), Billing.NOT_BILLED
            return
        timeout_s = self.until.deadline_s - now_s
        self._work = asyncio.create_task(self._draw(timeout_s))
        try:
            await asyncio.wait({self._work}, timeout=timeout_s)
            if self._work.done():
                self.result = _result(self._work, self.generation)
            else:
                self.result = Failed(reason=Reason.TIMEOUT, outcome=Outcome.INTERRUPTED)
        finally:
            self._work.cancel()

    async def discard(self) -> None:
        """Wait until the work has really ended, then remove the pictures that it stored."""
        if self._work is not None:
            await asyncio.wait({self._work})
            _result(self._work, self.generation)  # logs an error that was raised after the deadline
        await remove_renditions(self.blobs, self.generation, Rendition.GENERATED, Rendition.THUMBNAIL)

    async def _draw(self, timeout_s: float) -> Succeeded | Failed:
        request = self._request(timeout_s)
        try:
            answer = await self.model.generate(request)
        except ModelError as error:
            log.warning("generation %s: no picture: %s", self.generation.id, error)
            self.billing, self.facts = error.billing, error.facts
            return Failed(reason=error.reason, retryable=error.retryable)
        except BlobMissing:
            self.billing = Billing.NOT_BILLED
            return Failed(reason=Reason.INTERRUPTED, original_stored=False)
        except _OriginalUnreadable:
            log.exception("generation %s: cannot read the original", self.generation.id)
            return Failed(reason=Reason.STORAGE_UNAVAILABLE)

        self.facts = answer.facts
        self.billing = Billing.NOT_BILLED if answer.facts.cost_nano_usd == 0 else Billing.BILLED
        return await self._finish_and_store(answer, request.longest_side_px)

    async def _finish_and_store(self, answer: ModelResult, longest_side_px: int) -> Succeeded | Failed:
        """Scale the picture of the model to the quality, make its thumbnail, and store both."""
        try:
            picture = await self.codec.finish(answer.data, longest_side_px=longest_side_px)
        except InvalidInput as error:
            log.warning("generation %s: the answer is not a picture: %s", self.generation.id, error)
            return Failed(reason=Reason.NO_PICTURE)
        generated = StoredImage.of(blob_key(self.generation.id, Rendition.GENERATED), picture.generated)
        thumbnail = StoredImage.of(blob_key(self.generation.id, Rendition.THUMBNAIL), picture.thumbnail)
        try:
            for stored, image in ((generated, picture.generated), (thumbnail, picture.thumbnail)):
                _stop_if_cancelled()
                await self.blobs.put(stored.key, image.data, media_type=image.media_type)
        except Exception:
            log.exception("generation %s: cannot store the picture", self.generation.id)
            return Failed(reason=Reason.STORAGE_UNAVAILABLE)
        return Succeeded(generated=generated, thumbnail=thumbnail, placeholder=picture.placeholder)

    def _request(self, timeout_s: float) -> ModelRequest:
        original = self.generation.original
        assert original is not None, "a running generation has its original"
        return ModelRequest(
            prompt=self.catalog.style(self.generation.style).prompt,
            style=self.generation.style,
            photo_media_type=original.media_type,
            photo_width=original.width,
            photo_height=original.height,
            photo_size_bytes=original.size_bytes,
            open_photo=lambda: self._open(original.key),
            longest_side_px=self.catalog.quality(self.generation.quality).longest_side_px,
            user=hashlib.sha256(f"plushify:{self.generation.user_id}".encode()).hexdigest()[:32],
            timeout_s=timeout_s,
        )

    async def _open(self, key: str) -> AsyncIterator[bytes]:
        try:
            async for chunk in self.blobs.read(key):
                yield chunk
        except BlobMissing:
            raise
        except Exception as error:
            raise _OriginalUnreadable from error


class _OriginalUnreadable(Exception):
    """Failure of the blob store while the adapter of the model reads the photo."""


def _stop_if_cancelled() -> None:
    """Raise the cancellation again if an adapter swallowed it, because the generation may be purged by now.

    Raises:
        asyncio.CancelledError: the current task was cancelled.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _result(work: asyncio.Task[Succeeded | Failed], generation: Generation) -> Succeeded | Failed:
    """Return the result of work that has ended. An unexpected error is logged and returned as a failure."""
    if work.cancelled():
        return Failed(reason=Reason.INTERRUPTED, outcome=Outcome.INTERRUPTED)
    error = work.exception()
    if error is None:
        return work.result()
    log.error("generation %s: unexpected error", generation.id, exc_info=error)
    return Failed(reason=Reason.INTERNAL)
