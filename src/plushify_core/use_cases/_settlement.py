"""Settlement of a generation: commits the result of its attempt together with its effect on the credits."""

import asyncio
import logging
from dataclasses import dataclass, field

from plushify_core.domain.errors import NotFound
from plushify_core.domain.generation import Failure, Generation
from plushify_core.domain.model_call import Outcome
from plushify_core.ports import Clock, Events, Store, changes_of
from plushify_core.use_cases._attempt import Attempt, Succeeded
from plushify_core.use_cases._outcomes import OutcomeRecorder

log = logging.getLogger(__name__)

SETTLE_RETRY_DELAYS_S = (0.1, 0.5, 2.0, 5.0)
"""Delays between the tries to commit a result. Their sum is well below the lease margin."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Settlement:
    """Settlement of running generations, with their picture or with a refund."""

    store: Store
    events: Events
    clock: Clock
    outcomes: OutcomeRecorder
    _cleanups: set[asyncio.Task[None]] = field(init=False, default_factory=set)

    async def settle(self, running: Generation, attempt: Attempt) -> Generation:
        """Commit the result of the attempt, and remove its blobs if the row does not name them.

        Returns:
            The stored generation. If the lease had expired, another process may have ended it first.

        Raises:
            NotFound: another process has failed and purged the generation.
        """
        for delay_s in (*SETTLE_RETRY_DELAYS_S, None):
            try:
                current = await self._commit(running, attempt)
                break
            except Exception:
                if delay_s is None:
                    if not isinstance(attempt.result, Succeeded):
                        self._start_cleanup(running, attempt)
                    raise  # the sweep refunds the generation when its lease expires
                log.exception("generation %s: cannot commit its result, trying again", running.id)
                await asyncio.sleep(delay_s)
        # A commit that was reported as failed may have succeeded. Then the row names the blobs.
        generated = current.generated if current is not None else None
        if not (isinstance(attempt.result, Succeeded) and generated == attempt.result.generated):
            self._start_cleanup(running, attempt)
        if current is None:
            raise NotFound
        await self.events.publish(*changes_of(current))
        return current

    async def wait_for_cleanup(self) -> None:
        """Wait until the blobs of unsuccessful attempts are removed."""
        while self._cleanups:
            await asyncio.wait(self._cleanups)

    async def _commit(self, running: Generation, attempt: Attempt) -> Generation | None:
        """Commit the result. Return the stored generation, which another process may have changed first."""
        result, billing, facts = attempt.result, attempt.billing, attempt.facts
        async with self.store.begin() as tx:
            ended: Generation | None
            if isinstance(result, Succeeded):
                ended = running.succeed(
                    at=self.clock(),
                    generated=result.generated,
                    thumbnail=result.thumbnail,
                    placeholder=result.placeholder,
                )
                if not await tx.generations.replace(running, ended):
                    ended = None
                await self.outcomes.close_call(tx, running, Outcome.SUCCEEDED, billing=billing, facts=facts)
            else:
                ended = await self.outcomes.fail(
                    tx,
                    running,
                    Failure.of(result.reason, retryable=result.retryable),
                    outcome=result.outcome,
                    billing=billing,
                    facts=facts,
                    original_stored=result.original_stored,
                )
                if ended is None:
                    await self.outcomes.close_call(tx, running, result.outcome, billing=billing, facts=facts)
            return ended or await tx.generations.get(running.id)

    def _start_cleanup(self, running: Generation, attempt: Attempt) -> None:
        # In a task of its own: an adapter that ignores its cancellation must not delay the answer to the user.
        task = asyncio.create_task(self._clean_up(running, attempt))
        self._cleanups.add(task)
        task.add_done_callback(self._cleanups.discard)

    async def _clean_up(self, running: Generation, attempt: Attempt) -> None:
        """Remove the blobs of the attempt, and record its cost if it became known after the commit."""
        known = attempt.billing, attempt.facts
        await attempt.discard()
        billing, facts = attempt.billing, attempt.facts
        if (billing, facts) == known:
            return
        try:
            async with self.store.begin() as tx:
                await self.outcomes.close_call(tx, running, None, billing=billing, facts=facts)
        except Exception:
            log.exception("generation %s: cannot record the cost of its late answer: %s", running.id, facts)
