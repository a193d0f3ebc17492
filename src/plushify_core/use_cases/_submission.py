"""Submission of a generation: validates the request, charges for it, and stores the photo."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from plushify_core.domain.catalog import Catalog, Quality
from plushify_core.domain.errors import (
    GenerationFailed,
    InsufficientCredits,
    InvalidInput,
    NotFound,
    RateLimited,
    Reason,
)
from plushify_core.domain.generation import EncodedImage, Generation, Rendition, Status, StoredImage, blob_key
from plushify_core.domain.limits import Limits
from plushify_core.ports import BlobStore, Events, ImageCodec, ImageModel, NewId, Store, changes_of
from plushify_core.use_cases._cancellation import finish_despite_cancellation
from plushify_core.use_cases._dispatch import Dispatch
from plushify_core.use_cases._ledger_postings import LedgerPostings
from plushify_core.use_cases._spending import IN_FLIGHT_RETRY_AFTER_S, Spending

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Submission:
    """Submission of requests, in this order: replay, validation, balance, photo, charge, upload."""

    store: Store
    blobs: BlobStore
    codec: ImageCodec
    model: ImageModel
    events: Events
    new_id: NewId
    catalog: Catalog
    limits: Limits
    postings: LedgerPostings
    spending: Spending
    dispatch: Dispatch

    async def submit(
        self, user_id: str, photo: bytes, *, style: str, quality: str, idempotency_key: str | None
    ) -> Generation:
        """Return a new pending generation, or the earlier one of a replay. See `GenerateUseCase.submit`."""
        fingerprint = fingerprint_of(photo, style, quality)
        # The replay comes first: a repeated request must give its generation, even if limits have changed since.
        if earlier := await self._replayed(user_id, idempotency_key, fingerprint):
            return earlier
        price = self.catalog.price(await self._validate(photo, style=style, quality=quality))
        try:
            await self._check_affordable(user_id, price)
        except (InsufficientCredits, RateLimited):
            # The same request, sent a moment earlier, may be the one that took the credits.
            if earlier := await self._replayed(user_id, idempotency_key, fingerprint):
                return earlier
            raise
        original = await self.codec.sanitise(photo, max_pixels=self.limits.max_pixels)
        generation_id = self.new_id()

        def submit_at(now: datetime) -> Generation:
            return Generation(
                id=generation_id,
                user_id=user_id,
                style=style,
                quality=quality,
                credits_cost=price,
                fingerprint=fingerprint,
                idempotency_key=idempotency_key,
                created_at=now,
                deadline_at=now + self.limits.timeout,
                lease_until=now + self._storing_time,
                original=StoredImage.of(blob_key(generation_id, Rendition.ORIGINAL), original),
            )

        submitted, cancelled = await finish_despite_cancellation(self._charge_and_store(submit_at, original))
        if cancelled:
            if submitted.id == generation_id and submitted.status is Status.PENDING:
                await finish_despite_cancellation(self.dispatch.withdraw(submitted, Reason.INTERRUPTED))
            raise asyncio.CancelledError
        return submitted

    async def has_key(self, user_id: str, idempotency_key: str) -> bool:
        """Return whether the user has sent a request with this idempotency key before."""
        async with self.store.begin() as tx:
            return await tx.generations.by_idempotency_key(user_id, idempotency_key) is not None

    async def _replayed(self, user_id: str, key: str | None, fingerprint: str) -> Generation | None:
        """Return the generation of an earlier request with the same idempotency key.

        Raises:
            InvalidInput: `idempotency_key_invalid` or `idempotency_key_reused`.
            NotFound: the user has deleted the generation. `charged` tells whether credits stay taken for it.
        """
        if key is None:
            return None
        self.limits.validate_idempotency_key(key)
        async with self.store.begin() as tx:
            earlier = await tx.generations.by_idempotency_key(user_id, key)
            if earlier is None:
                return None
            if earlier.fingerprint != fingerprint:
                raise InvalidInput(Reason.IDEMPOTENCY_KEY_REUSED)
            if earlier.deleted_at is not None:
                raise NotFound(charged=await self.postings.is_charged(tx, earlier.id))
        return earlier

    async def _validate(self, photo: bytes, *, style: str, quality: str) -> Quality:
        """Validate everything that does not need the decoded photo, and return the requested quality.

        Raises:
            InvalidInput: the request cannot be carried out.
            GenerationFailed: `model_unavailable`: the spending limit of the day is reached.
        """
        if not photo:
            raise InvalidInput(Reason.IMAGE_EMPTY)
        if len(photo) > self.limits.max_upload_bytes:
            megabytes = self.limits.max_upload_bytes / 1024**2
            raise InvalidInput(
                Reason.IMAGE_TOO_LARGE, f"The file is larger than {megabytes:.3g} MB. Choose a smaller photo."
            )
        self.catalog.style(style)
        requested = self.catalog.quality(quality)
        if requested.longest_side_px > (await self.model.capabilities()).largest_side_px:
            raise InvalidInput(Reason.QUALITY_UNAVAILABLE)
        await self._check_spending()
        return requested

    async def _check_spending(self) -> None:
        """Reject early if the spending limit of the day is reached; the check of the dispatch is authoritative.

        Raises:
            GenerationFailed: `model_unavailable`.
        """
        if self.limits.daily_spend_nano_usd is None:
            return
        async with self.store.begin() as tx:
            reached = await self.spending.is_limit_reached(tx)
        if reached:
            raise GenerationFailed(Reason.MODEL_UNAVAILABLE, charged=False)

    async def _check_affordable(self, user_id: str, price: int) -> None:
        """Reject early if the balance is too low or a limit of the user is reached; the charge itself is authoritative.

        Raises:
            InsufficientCredits: the balance is lower than the price.
            RateLimited: `too_many_failures` or `too_many_in_flight`.
        """
        async with self.store.begin() as tx:
            subscription = await tx.credits.subscription(user_id)
            in_flight = await tx.generations.count_unfinished(user_id)
            await self.spending.check_failures(tx, user_id, in_flight=in_flight)
        balance = self.limits.free_credits if subscription is None else subscription.balance
        if balance < price:
            raise InsufficientCredits(balance=balance)
        if in_flight >= self.limits.max_in_flight_per_user:
            raise RateLimited(Reason.TOO_MANY_IN_FLIGHT, retry_after_s=IN_FLIGHT_RETRY_AFTER_S)

    async def _charge_and_store(
        self, submit_at: Callable[[datetime], Generation], original: EncodedImage
    ) -> Generation:
        """Charge for the generation and add its row, then store the original. In this order, no blob is without a row.

        Args:
            submit_at: returns the generation as submitted at a time.
            original: photo to store.

        Raises:
            InsufficientCredits: nothing was taken or stored.
            RateLimited: nothing was taken or stored.
        """
        # Counted from before the transaction, so that the storing ends before the lease, however long the commit takes.
        lease_ends_s = asyncio.get_running_loop().time() + self._storing_time.total_seconds()
        try:
            async with self.store.begin() as tx:
                generation = submit_at(await tx.now())
                await self.postings.ensure_subscription(tx, generation.user_id)
                if not await tx.generations.add(generation):
                    raise _KeyTaken
                await self.postings.charge(tx, generation)
                # Counted after the charge, which blocks other postings of this user until the commit.
                in_flight = await tx.generations.count_unfinished(generation.user_id)
                if in_flight > self.limits.max_in_flight_per_user:
                    raise RateLimited(Reason.TOO_MANY_IN_FLIGHT, retry_after_s=IN_FLIGHT_RETRY_AFTER_S)
                await self.spending.check_failures(tx, generation.user_id, in_flight=in_flight - 1)
        except _KeyTaken:
            winner = await self._replayed(generation.user_id, generation.idempotency_key, generation.fingerprint)
            if winner is None:
                raise NotFound(charged=None) from None  # it was purged in the meantime, so its id is not known
            return winner
        await self.events.publish(*changes_of(generation))
        try:
            await self._store_original(generation, original, lease_ends_s)
        except Exception:
            log.exception("generation %s: cannot store the original", generation.id)
            return await self.dispatch.withdraw(generation, Reason.STORAGE_UNAVAILABLE)
        return generation

    @property
    def _storing_time(self) -> timedelta:
        """Lease of a new generation, in which its photo must be stored."""
        return min(self.limits.pending_lease, self.limits.timeout)

    async def _store_original(self, generation: Generation, original: EncodedImage, lease_ends_s: float) -> None:
        """Store the photo while the lease of the pending generation lasts.

        Args:
            generation: the pending generation.
            original: photo to store.
            lease_ends_s: end of the lease, as a time of the event loop in seconds.

        Raises:
            TimeoutError: the lease has expired, so another process may have failed the generation.
        """
        if lease_ends_s <= asyncio.get_running_loop().time():
            raise TimeoutError
        async with asyncio.timeout_at(lease_ends_s) as lease:
            key = blob_key(generation.id, Rendition.ORIGINAL)
            await self.blobs.put(key, original.data, media_type=original.media_type)
        if lease.expired():
            raise TimeoutError  # the adapter ignored its cancellation and stored the photo too late


class _KeyTaken(Exception):
    """Conflict with an earlier submission that used the same idempotency key."""


def fingerprint_of(photo: bytes, style: str, quality: str) -> str:
    """Return the fingerprint of a request: the SHA-256 of its photo, style and quality, in hexadecimal."""
    digest = hashlib.sha256(hashlib.sha256(photo).digest())
    # The length separates the style from the quality, so that two different requests have different input.
    digest.update(f"{len(style)}:{style}{quality}".encode())
    return digest.hexdigest()
