"""Dispatch of a generation: commits that one process may call the image model, before it does."""

import logging
from dataclasses import dataclass
from uuid import UUID

from plushify_core.domain.errors import NotFound, Reason
from plushify_core.domain.generation import Failure, Generation, Rendition, Status, blob_key
from plushify_core.domain.limits import Limits
from plushify_core.ports import BlobStore, Clock, Events, ImageModel, Store, changes_of
from plushify_core.use_cases._blob_removal import remove_renditions
from plushify_core.use_cases._outcomes import OutcomeRecorder

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dispatch:
    """Dispatch of pending generations, and refund of those that cannot be dispatched."""

    store: Store
    blobs: BlobStore
    model: ImageModel
    events: Events
    clock: Clock
    limits: Limits
    outcomes: OutcomeRecorder

    async def dispatch(self, generation_id: UUID) -> tuple[Generation, bool]:
        """Change a pending generation to running, and record its model call.

        Returns:
            The stored generation, and whether this call dispatched it. Only then may the caller call the model.

        Raises:
            NotFound: there is no generation with this id.
        """
        model_asked = (await self.model.capabilities()).name
        problem = await self._original_problem(generation_id)
        async with self.store.begin() as tx:
            generation = await tx.generations.get(generation_id)
            if generation is None:
                raise NotFound
            now = self.clock()
            if generation.status is not Status.PENDING:
                return generation, False
            if problem is Reason.INTERRUPTED and generation.is_being_submitted(now):
                return generation, False  # a replay arrived first: the submission is still storing the photo
            if now >= generation.deadline_at:
                problem = Reason.TIMEOUT
            running = generation.dispatch(generation.deadline_at + self.limits.lease_margin)
            dispatched = problem is None and await tx.generations.replace(generation, running)
            if dispatched:
                await self.outcomes.open_call(tx, running, model_asked)
        if dispatched:
            await self.events.publish(*changes_of(running))
            return running, True
        if problem is not None:
            return await self.withdraw(generation, problem), False
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
