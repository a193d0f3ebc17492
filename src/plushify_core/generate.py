"""Making a plushie: the way of a photo, and of the credits that pay for it.

    submit   check everything · take the credits and add the row, as one · store the original
    run      take the lease, committed · call the model · store the picture · settle, as one

No transaction is open while the model or the blob store is waited for. Whatever dies between two steps leaves
a row from which `recover` can tell what to do.
"""

import asyncio
import logging
from uuid import UUID

from plushify_core._tasks import to_the_end
from plushify_core.admission import Admission, fingerprint_of
from plushify_core.bookkeeping import Bookkeeping
from plushify_core.catalog import Catalog
from plushify_core.drawing import ORIGINAL, Drawing
from plushify_core.errors import GenerationFailed, InsufficientCredits, NotFound, RateLimited, Reason
from plushify_core.generation import Generation, Status, StoredImage, blob_prefix
from plushify_core.limits import Limits
from plushify_core.ports import (
    BlobStore,
    Clock,
    Events,
    ImageCodec,
    ImageModel,
    NewId,
    Store,
    changes_of,
)
from plushify_core.settlement import Settlement

log = logging.getLogger(__name__)


class GenerateUseCase:
    """Takes photos and makes plushies of them.

    `submit` and `run` may be called in different processes; `generate` is both in one call.
    """

    def __init__(
        self,
        *,
        store: Store,
        blobs: BlobStore,
        codec: ImageCodec,
        model: ImageModel,
        events: Events,
        clock: Clock,
        new_id: NewId,
        catalog: Catalog,
        limits: Limits,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._codec = codec
        self._model = model
        self._events = events
        self._clock = clock
        self._new_id = new_id
        self._catalog = catalog
        self._limits = limits
        self._books = Bookkeeping(clock=clock, new_id=new_id, limits=limits)
        self._admission = Admission(
            store=store,
            blobs=blobs,
            model=model,
            events=events,
            clock=clock,
            catalog=catalog,
            limits=limits,
            books=self._books,
        )
        self._settlement = Settlement(store=store, events=events, clock=clock, books=self._books)

    async def generate(
        self, user_id: str, photo: bytes, *, style: str, quality: str, idempotency_key: str | None = None
    ) -> Generation:
        """Submit and run in one call. Arguments and errors are those of `submit`.

        Returns:
            The succeeded generation; or, for a replay of one that another process is working on, the
            generation as it stands.

        Raises:
            GenerationFailed: there is no picture, and the refund is committed.
        """
        generation = await self.submit(user_id, photo, style=style, quality=quality, idempotency_key=idempotency_key)
        generation = await self.run(generation.id)
        if generation.failure is not None:
            failure = generation.failure
            raise GenerationFailed(failure.reason, charged=False, retryable=failure.retryable)
        return generation

    async def submit(
        self, user_id: str, photo: bytes, *, style: str, quality: str, idempotency_key: str | None = None
    ) -> Generation:
        """Check the request, take its price, and store the photo.

        Args:
            user_id: who pays.
            photo: the upload, as it came.
            style: id of a style in the catalog.
            quality: id of a quality in the catalog.
            idempotency_key: 1 to 255 visible ASCII characters. The same key with the same request gives the
                same generation and takes nothing (draft-ietf-httpapi-idempotency-key-header).

        Returns:
            The generation: pending; failed, and refunded, if the photo could not be stored; or, for a replay,
            as it stands.

        Raises:
            InvalidInput: the request cannot be carried out; nothing was taken or stored.
            InsufficientCredits: likewise.
            RateLimited: `too_many_in_flight`; likewise.
            GenerationFailed: `model_unavailable`, the day's spending limit is reached; likewise.
            NotFound: a replay of a generation that its user has deleted.
        """
        fingerprint = fingerprint_of(photo, style, quality)
        # First, because whatever has changed since, a request sent again is still the one that was paid for.
        if idempotency_key is not None:
            earlier = await self._admission.replayed(user_id, idempotency_key, fingerprint)
            if earlier is not None:
                return earlier

        sold = await self._admission.check(photo, style=style, quality=quality)
        price = self._catalog.price(sold)
        try:
            await self._admission.check_means(user_id, price)
        except (InsufficientCredits, RateLimited):
            # Unless it is this very request, sent a moment earlier, that has used them up.
            if idempotency_key is not None:
                earlier = await self._admission.replayed(user_id, idempotency_key, fingerprint)
                if earlier is not None:
                    return earlier
            raise
        sanitised = await self._codec.sanitise(photo, max_pixels=self._limits.max_pixels)
        generation_id = self._new_id()
        now = self._clock()
        generation = Generation(
            id=generation_id,
            user_id=user_id,
            style=style,
            quality=quality,
            credits_cost=price,
            fingerprint=fingerprint,
            idempotency_key=idempotency_key,
            created_at=now,
            deadline_at=now + self._limits.timeout,
            lease_until=now + min(self._limits.pending_lease, self._limits.timeout),
            original=StoredImage(
                key=blob_prefix(generation_id) + ORIGINAL,
                media_type=sanitised.media_type,
                width=sanitised.width,
                height=sanitised.height,
                size_bytes=len(sanitised.data),
            ),
        )
        admitted, cancelled = await to_the_end(self._admission.admit(generation, sanitised))
        if cancelled:
            if admitted == generation:
                await to_the_end(self._admission.withdraw(generation, Reason.INTERRUPTED))
            raise asyncio.CancelledError
        return admitted

    async def knows(self, user_id: str, idempotency_key: str) -> bool:
        """Whether the user has submitted something with this idempotency key: a replay takes no credits and no work."""
        return await self._admission.knows(user_id, idempotency_key)

    async def run(self, generation_id: UUID) -> Generation:
        """Bring a pending generation to its end.

        Safe to call from any process, late, twice or in parallel: one call does the work, every other returns
        the generation as it stands. Cancellation ends the generation with a refund.

        Raises:
            NotFound: there is no such generation.
        """
        (generation, ours), cancelled = await to_the_end(self._dispatch(generation_id))
        if ours:
            drawing = self._drawing(generation)
            if not cancelled:
                try:
                    await drawing.run()
                except asyncio.CancelledError:
                    cancelled = True
            generation, cancelled_late = await to_the_end(self._settlement.settle(generation, drawing))
            cancelled = cancelled or cancelled_late
        if cancelled:
            raise asyncio.CancelledError
        return generation

    async def tidied(self) -> None:
        """Wait until what was stored in vain is removed: before a process ends in order."""
        await self._settlement.tidied()

    async def _dispatch(self, generation_id: UUID) -> tuple[Generation, bool]:
        """Commit that the model may be called, before it is; and tell whether it is this call that may."""
        model_asked = (await self._model.capabilities()).name
        hindrance = await self._admission.photo_trouble(generation_id)
        async with self._store.begin() as tx:
            generation = await tx.generations.get(generation_id)
            if generation is None:
                raise NotFound
            now = self._clock()
            if generation.status is not Status.PENDING:
                return generation, False
            if hindrance is Reason.INTERRUPTED and generation.being_submitted(now):
                return generation, False  # a replay came before the photo: its submission, or the sweep, goes on
            if now >= generation.deadline_at:
                hindrance = Reason.TIMEOUT
            running = generation.dispatched(generation.deadline_at + self._limits.lease_margin)
            ours = hindrance is None and await tx.generations.replace(generation, running)
            if ours:
                await self._books.open_call(tx, running, model_asked)
        if ours:
            await self._tell(running)
            return running, True
        if hindrance is not None:
            return await self._admission.withdraw(generation, hindrance), False
        return await self._dispatch(generation_id)  # another process was faster: see what it did

    def _drawing(self, generation: Generation) -> Drawing:
        remaining_s = (generation.deadline_at - self._clock()).total_seconds()
        return Drawing(
            generation,
            catalog=self._catalog,
            # A clock that was set back gives nobody more than the whole time.
            timeout_s=min(max(remaining_s, 0), self._limits.timeout_s),
            blobs=self._blobs,
            codec=self._codec,
            model=self._model,
        )

    async def _tell(self, changed: Generation) -> None:
        await self._events.publish(*changes_of(changed))
