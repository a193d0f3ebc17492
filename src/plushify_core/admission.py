"""The way in: everything that must hold before a generation is paid for, and the payment itself."""

import asyncio
import hashlib
import logging
from datetime import UTC
from uuid import UUID

from plushify_core.bookkeeping import Bookkeeping
from plushify_core.catalog import Catalog, Quality
from plushify_core.drawing import ORIGINAL, NotDrawn, remove_blobs
from plushify_core.errors import GenerationFailed, InsufficientCredits, InvalidInput, NotFound, RateLimited, Reason
from plushify_core.generation import Generation, blob_prefix
from plushify_core.limits import Limits
from plushify_core.ports import BlobStore, Clock, Events, ImageModel, Photo, Store, changes_of

log = logging.getLogger(__name__)

IN_FLIGHT_RETRY_AFTER_S = 10
"""What a user with too many generations in flight is told to wait: about as long as one takes."""


class Admission:
    """Checks requests, charges for them, and undoes that for a generation that cannot be run."""

    def __init__(
        self,
        *,
        store: Store,
        blobs: BlobStore,
        model: ImageModel,
        events: Events,
        clock: Clock,
        catalog: Catalog,
        limits: Limits,
        books: Bookkeeping,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._model = model
        self._events = events
        self._clock = clock
        self._catalog = catalog
        self._limits = limits
        self._books = books

    async def check(self, photo: bytes, *, style: str, quality: str) -> Quality:
        """What can be told without looking into the photo: the quality that is asked for, if all is well.

        Raises:
            InvalidInput: the request cannot be carried out.
            GenerationFailed: `model_unavailable`: the day's spending limit is reached.
        """
        if not photo:
            raise InvalidInput(Reason.IMAGE_EMPTY)
        if len(photo) > self._limits.max_upload_bytes:
            megabytes = self._limits.max_upload_bytes / 1024**2
            raise InvalidInput(
                Reason.IMAGE_TOO_LARGE, f"The file is larger than {megabytes:.3g} MB. Choose a smaller photo."
            )
        self._catalog.style(style)
        sold = self._catalog.quality(quality)
        if sold.longest_side_px > (await self._model.capabilities()).largest_side_px:
            raise InvalidInput(Reason.QUALITY_UNAVAILABLE)
        await self._check_spending()
        return sold

    async def replayed(self, user_id: str, key: str, fingerprint: str) -> Generation | None:
        """The generation that the same request made earlier, if there was one.

        Raises:
            InvalidInput: `idempotency_key_invalid`, `idempotency_key_reused`.
            NotFound: its user has deleted it.
        """
        fits = 1 <= len(key) <= self._limits.max_idempotency_key_chars
        if not (fits and all("!" <= char <= "~" for char in key)):
            raise InvalidInput(Reason.IDEMPOTENCY_KEY_INVALID)
        async with self._store.begin() as tx:
            earlier = await tx.generations.by_idempotency_key(user_id, key)
        if earlier is None:
            return None
        if earlier.fingerprint != fingerprint:
            raise InvalidInput(Reason.IDEMPOTENCY_KEY_REUSED)
        if earlier.deleted_at is not None:
            raise NotFound
        return earlier

    async def knows(self, user_id: str, key: str) -> bool:
        """Whether the user has sent a request with this idempotency key before."""
        async with self._store.begin() as tx:
            return await tx.generations.by_idempotency_key(user_id, key) is not None

    async def check_means(self, user_id: str, price: int) -> None:
        """Refuse who cannot pay before the work of decoding a photo. The charge itself checks again, and counts.

        Raises:
            InsufficientCredits: the balance does not cover the price.
            RateLimited: `too_many_in_flight`.
        """
        async with self._store.begin() as tx:
            subscription = await tx.credits.subscription(user_id)
            in_flight = await tx.generations.count_unfinished(user_id)
        balance = self._limits.free_credits if subscription is None else subscription.balance
        if balance < price:
            raise InsufficientCredits(balance=balance)
        if in_flight >= self._limits.max_in_flight_per_user:
            raise RateLimited(Reason.TOO_MANY_IN_FLIGHT, retry_after_s=IN_FLIGHT_RETRY_AFTER_S)

    async def admit(self, generation: Generation, photo: Photo) -> Generation:
        """Charge and add the row, then store the original: in this order, so that no blob is without a row.

        Raises:
            InsufficientCredits: nothing was taken or stored.
            RateLimited: likewise.
        """
        try:
            async with self._store.begin() as tx:
                await self._books.ensure_subscription(tx, generation.user_id)
                if not await tx.generations.add(generation):
                    raise _KeyTaken
                await self._books.charge(tx, generation)
                # Counted behind the charge: the store lets no other posting of this user in between.
                in_flight = await tx.generations.count_unfinished(generation.user_id)
                if in_flight > self._limits.max_in_flight_per_user:
                    raise RateLimited(Reason.TOO_MANY_IN_FLIGHT, retry_after_s=IN_FLIGHT_RETRY_AFTER_S)
        except _KeyTaken:
            return await self._winner(generation)
        await self._events.publish(*changes_of(generation))

        assert generation.original is not None, "a pending generation has its original"
        assert generation.lease_until is not None, "and its lease"
        lease_s = (generation.lease_until - self._clock()).total_seconds()
        try:
            if lease_s <= 0:
                raise TimeoutError
            async with asyncio.timeout(lease_s) as lease:
                await self._blobs.put(generation.original.key, photo.data, media_type=photo.media_type)
            if lease.expired():
                raise TimeoutError  # stored all the same; but another process may have given it up meanwhile
        except Exception:
            log.exception("generation %s: cannot store the original", generation.id)
            return await self.withdraw(generation, Reason.STORAGE_UNAVAILABLE)
        return generation

    async def photo_trouble(self, generation_id: UUID) -> Reason | None:
        """Why this generation cannot be run: its photo is not, or not yet, stored, or nobody can tell."""
        key = blob_prefix(generation_id) + ORIGINAL
        try:
            stored = [found async for found in self._blobs.keys(key)]
        except Exception:
            log.exception("generation %s: cannot look for its original", generation_id)
            return Reason.STORAGE_UNAVAILABLE
        return None if key in stored else Reason.INTERRUPTED

    async def withdraw(self, generation: Generation, reason: Reason) -> Generation:
        """End a generation that was never dispatched with a refund, and keep nothing of its photo."""
        failure = NotDrawn(reason=reason).failure
        async with self._store.begin() as tx:
            failed = await self._books.fail(tx, generation, failure, original_stored=False)
            current = failed or await tx.generations.get(generation.id)
        if failed is not None:
            await self._events.publish(*changes_of(failed))
        if current is None or current.original is None:
            await remove_blobs(self._blobs, generation, ORIGINAL)
        if current is None:
            raise NotFound
        return current

    async def _check_spending(self) -> None:
        limit = self._limits.daily_spend_nano_usd
        if limit is None:
            return
        today = self._clock().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        async with self._store.begin() as tx:
            spent = await tx.model_calls.cost_since(today)
        if spent >= limit:
            log.error("the model calls of today cost %.2f USD: no more until tomorrow", spent / 1e9)
            raise GenerationFailed(Reason.MODEL_UNAVAILABLE, charged=False)

    async def _winner(self, loser: Generation) -> Generation:
        """The generation that took the idempotency key first."""
        assert loser.idempotency_key is not None, "only a key can be taken"
        winner = await self.replayed(loser.user_id, loser.idempotency_key, loser.fingerprint)
        if winner is None:
            raise NotFound  # it stood a moment ago, and was purged since
        return winner


class _KeyTaken(Exception):
    """Another submission with the same idempotency key was faster."""


def fingerprint_of(photo: bytes, style: str, quality: str) -> str:
    """What a request asks for, as a SHA-256 over its unambiguous concatenation."""
    digest = hashlib.sha256(hashlib.sha256(photo).digest())
    digest.update(f"{len(style)}:{style}{quality}".encode())
    return digest.hexdigest()
