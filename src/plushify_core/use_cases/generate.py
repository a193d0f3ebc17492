"""Making a plushie from a photo, and charging for it.

    submit   _submission   validate the request · charge and add the row, atomically · store the original
    run      _dispatch     take the lease and commit that the model may be called
             _leases       renew the lease until the result is committed
             _attempt      call the model · finish the picture · store it
             _settlement   commit the picture, or the refund

No transaction is open during a call to the model or the blob store. If a process dies between two steps,
`RecoverUseCase` continues from the stored row.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from plushify_core.domain.catalog import Catalog
from plushify_core.domain.errors import GenerationFailed
from plushify_core.domain.generation import Generation
from plushify_core.domain.limits import Limits
from plushify_core.ports import BlobStore, Clock, Events, ImageCodec, ImageModel, NewId, Store
from plushify_core.use_cases._attempt import Attempt
from plushify_core.use_cases._cancellation import finish_despite_cancellation
from plushify_core.use_cases._dispatch import Dispatch
from plushify_core.use_cases._leases import LeaseKeeper
from plushify_core.use_cases._ledger_postings import LedgerPostings
from plushify_core.use_cases._outcomes import OutcomeRecorder
from plushify_core.use_cases._settlement import Settlement
from plushify_core.use_cases._spending import Spending
from plushify_core.use_cases._submission import Submission


@dataclass(frozen=True, kw_only=True, eq=False)
class GenerateUseCase:
    """Submission of photos and running of generations.

    `submit` and `run` may be called in different processes. `generate` does both in one call.
    """

    store: Store
    blobs: BlobStore
    codec: ImageCodec
    model: ImageModel
    events: Events
    clock: Clock
    new_id: NewId
    catalog: Catalog
    limits: Limits

    async def generate(
        self, user_id: str, photo: bytes, *, style: str, quality: str, idempotency_key: str | None = None
    ) -> Generation:
        """Submit a photo and run its generation. Arguments and errors are those of `submit`.

        Returns:
            The succeeded generation. A replay of a generation that another process is running returns it unfinished.

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
        """Validate the request, charge for it, and store the photo.

        Args:
            user_id: id of the user who pays.
            photo: bytes of the uploaded file.
            style: id of a style in the catalog.
            quality: id of a quality in the catalog.
            idempotency_key: 1 to 255 visible ASCII characters. A repeated request with the same key returns the same
                generation and is not charged again (draft-ietf-httpapi-idempotency-key-header).

        Returns:
            The pending generation. If the photo could not be stored, it has failed and is refunded. For a replay, it is
            the earlier generation in any status.

        Raises:
            InvalidInput: the request cannot be carried out; nothing was taken or stored.
            InsufficientCredits: the balance is lower than the price; nothing was taken or stored.
            RateLimited: `too_many_in_flight` or `too_many_failures`; nothing was taken or stored.
            GenerationFailed: `model_unavailable`: the daily spending limit is reached; nothing was taken or stored.
            NotFound: replay of a generation that the user has deleted. `charged` tells whether credits stay taken for
                it; None if it was purged at the same moment.
        """
        return await self._submission.submit(
            user_id, photo, style=style, quality=quality, idempotency_key=idempotency_key
        )

    async def has_key(self, user_id: str, idempotency_key: str) -> bool:
        """Return whether the user has used this idempotency key. If so, the request is a replay and is not charged."""
        return await self._submission.has_key(user_id, idempotency_key)

    async def run(self, generation_id: UUID) -> Generation:
        """Run a pending generation to its end.

        Any process may call this, at any time, repeatedly and concurrently: one call does the work, the others return
        the stored generation. Cancellation fails the generation and refunds it.

        Raises:
            NotFound: there is no generation with this id.
        """
        (generation, until), cancelled = await finish_despite_cancellation(self._dispatch.dispatch(generation_id))
        if until is not None:
            attempt = Attempt(
                generation=generation,
                catalog=self.catalog,
                until=until,
                blobs=self.blobs,
                codec=self.codec,
                model=self.model,
            )
            with self._leases.keeping(generation):
                if not cancelled:
                    try:
                        await attempt.run()
                    except asyncio.CancelledError:
                        cancelled = True
                settling = self._settlement.settle(generation, attempt)
                generation, cancelled_late = await finish_despite_cancellation(settling)
            cancelled = cancelled or cancelled_late
        if cancelled:
            raise asyncio.CancelledError
        return generation

    async def wait_for_cleanup(self) -> None:
        """Wait until the blobs of unsuccessful attempts are removed, and the costs of all calls are recorded.

        Call it before a graceful shutdown ends. If it is cancelled, the costs that are not yet recorded are logged.
        """
        await self._settlement.wait_for_cleanup()

    async def release(self, generation_ids: Collection[UUID]) -> None:
        """Release reclaimed generations that this process has not begun, so that the next sweep reclaims them.

        Generations that are not pending, or were never reclaimed, are not changed.
        """
        async with self.store.begin() as tx:
            await tx.generations.release(generation_ids, await tx.now())

    def log_unrecorded_costs(self) -> None:
        """Log the costs of model calls that are not yet recorded. Call it to end without `wait_for_cleanup`."""
        self._settlement.log_unrecorded_costs()

    @cached_property
    def _submission(self) -> Submission:
        return Submission(
            store=self.store,
            blobs=self.blobs,
            codec=self.codec,
            model=self.model,
            events=self.events,
            new_id=self.new_id,
            catalog=self.catalog,
            limits=self.limits,
            postings=self._postings,
            spending=self._spending,
            dispatch=self._dispatch,
        )

    @cached_property
    def _dispatch(self) -> Dispatch:
        return Dispatch(
            store=self.store,
            blobs=self.blobs,
            model=self.model,
            events=self.events,
            limits=self.limits,
            outcomes=self._outcomes,
            spending=self._spending,
        )

    @cached_property
    def _settlement(self) -> Settlement:
        return Settlement(store=self.store, events=self.events, limits=self.limits, outcomes=self._outcomes)

    @cached_property
    def _leases(self) -> LeaseKeeper:
        return LeaseKeeper(store=self.store, limits=self.limits)

    @cached_property
    def _outcomes(self) -> OutcomeRecorder:
        return OutcomeRecorder(postings=self._postings)

    @cached_property
    def _spending(self) -> Spending:
        return Spending(clock=self.clock, limits=self.limits)

    @cached_property
    def _postings(self) -> LedgerPostings:
        return LedgerPostings(new_id=self.new_id, limits=self.limits)
