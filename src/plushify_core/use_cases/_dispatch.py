"""Dispatch of a generation: commits that one process may call the image model, before it does."""

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

from plushify_core.domain.errors import NotFound, Reason
from plushify_core.domain.generation import Failure, Generation, Rendition, Status, blob_key
from plushify_core.domain.limits import Limits
from plushify_core.ports import BlobStore, Events, ImageModel, Store, changes_of
from plushify_core.use_cases._attempt import Until
from plushify_core.use_cases._blob_removal import remove_renditions
from plushify_core.use_cases._outcomes import OutcomeRecorder
from plushify_core.use_cases._spending import Spending

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dispatch:
    """Dispatch of pending generations, and refund of those that cannot be dispatched."""

    store: Store
    blobs: BlobStore
    model: ImageModel
    events: Events
    limits: Limits
    outcomes: OutcomeRecorder
    spending: Spending

    async def dispatch(self, generation_id: UUID) -> tuple[Generation, Until | None]:
        """Change a pending generation to running, and record its model call with the expected price.

        If the daily spending limit is reached, the generation fails with `model_unavailable` and is refunded.

        Returns:
            The stored generation, and its time limits if this call dispatched it, else None. The caller may call the
            model only if it got time limits.

        Raises:
            NotFound: there is no generation with this id.
        """
        model = await self.model.capabilities()
        problem = await self._original_problem(generation_id)
        began_s = asyncio.get_running_loop().time()
        async with self.store.begin() as tx:
            generation = await tx.generations.get(generation_id)
            if generation is None:
                raise NotFound
            if generation.status is not Status.PENDING:
                return generation, None
            now = await tx.now()
            if problem is Reason.INTERRUPTED and generation.is_being_submitted(now):
                return generation, None  # a replay arrived first: the submission is still storing the photo
            if now >= generation.deadline_at:
                problem = Reason.TIMEOUT
            if problem is None and not await self.spending.may_call(tx):
                problem = Reason.MODEL_UNAVAILABLE
            running = generation.dispatch(now + self.limits.lease)
            dispatched = problem is None and await tx.generations.replace(generation, running)
            if dispatched:
                expected = await self.spending.expected_cost_nano_usd(tx, model, generation.quality)
                await self.outcomes.open_call(tx, running, model.name, expected_cost_nano_usd=expected)
        if dispatched:
            await self.events.publish(*changes_of(running))
            # If the clock of the database was set back, the whole timeout is still the limit.
            left_s = min((running.deadline_at - now).total_seconds(), self.limits.timeout_s)
            return running, Until(lease_s=began_s + self.limits.lease_s, deadline_s=began_s + left_s)
        if problem is not None:
            return await self.withdraw(generation, problem), None
        return await self.dispatch(generation_id)  # another process changed it first: return its result

    async def withdraw(self, generation: Generation, reason: Reason) -> Generation:
        """Refund a generation that was never dispatched, and remove its photo."""
        async with self.store.begin() as tx:
            failed = await self.outcomes.fail(tx, generation, Failure.of(reason), original_stored=False)
            current = failed or await tx.generations.get(generation.id)
        if failed is not None:
            await self.events.publish(*changes_of(failed))
        if current is None or current.original is None:
            await remove_renditions(self.blobs, generation, Rendition.ORIGINAL)
        if current is None:
            raise NotFound
        return current

    async def _original_problem(self, generation_id: UUID) -> Reason | None:
        """Return why the stored original cannot be used: missing, or the blob store is unavailable. None if it can."""
        key = blob_key(generation_id, Rendition.ORIGINAL)
        try:
            stored = [found async for found in self.blobs.keys(key)]
        except Exception:
            log.exception("generation %s: cannot look for its original", generation_id)
            return Reason.STORAGE_UNAVAILABLE
        return None if key in stored else Reason.INTERRUPTED
