"""Settlement of a generation: commits the result of its attempt together with its effect on the credits."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from plushify_core.domain.errors import NotFound
from plushify_core.domain.generation import Failure, Generation
from plushify_core.domain.limits import Limits
from plushify_core.domain.model_call import Billing, ModelFacts, Outcome
from plushify_core.ports import Events, Store, changes_of
from plushify_core.use_cases._attempt import Attempt, Succeeded
from plushify_core.use_cases._outcomes import OutcomeRecorder

T = TypeVar("T")

Cost = tuple[Billing, ModelFacts]

NO_COST: Cost = (Billing.UNKNOWN, ModelFacts())

log = logging.getLogger(__name__)

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 2.0
"""Delays between two tries to commit: they double from the first to the longest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Settlement:
    """Settlement of running generations, with their picture or with a refund."""

    store: Store
    events: Events
    limits: Limits
    outcomes: OutcomeRecorder
    _cleanups: set[asyncio.Task[None]] = field(init=False, default_factory=set)
    _unrecorded: dict[UUID, Attempt] = field(init=False, default_factory=dict)

    async def settle(self, running: Generation, attempt: Attempt) -> Generation:
        """Commit the result of the attempt, and remove its blobs if the row does not name them.

        A failed commit is tried again for `settle_timeout_s`. After that, a sweep refunds the generation, and only the
        cost of the call is still to be recorded, for as long as this process runs.

        Returns:
            The stored generation. If the lease had expired, another process may have ended it first.

        Raises:
            NotFound: another process has failed and purged the generation.
        """
        self._unrecorded[running.id] = attempt
        ends_s = asyncio.get_running_loop().time() + self.limits.settle_timeout_s
        try:
            current, cost = await self._retry(running, lambda: self._commit(running, attempt), ends_s=ends_s)
        except Exception:
            self._start_cleanup(running, attempt, NO_COST, discard=not isinstance(attempt.result, Succeeded))
            raise  # the sweep refunds the generation when its lease expires
        # A commit that was reported as failed may have succeeded. Then the row names the blobs.
        generated = current.generated if current is not None else None
        has_picture = isinstance(attempt.result, Succeeded) and generated == attempt.result.generated
        if has_picture:
            self._unrecorded.pop(running.id, None)
        else:
            self._start_cleanup(running, attempt, cost, discard=True)
        if current is None:
            raise NotFound
        await self.events.publish(*changes_of(current))
        return current

    async def wait_for_cleanup(self) -> None:
        """Wait until the blobs of unsuccessful attempts are removed, and the costs of all calls are recorded.

        If this is cancelled, the costs that are not yet recorded are logged, because the process is about to end.
        """
        try:
            while self._cleanups:
                await asyncio.wait(self._cleanups)
        finally:
            self.log_unrecorded_costs()

    def log_unrecorded_costs(self) -> None:
        """Log the costs that are not yet recorded. Call it if the process is about to end."""
        for generation_id in list(self._unrecorded):
            self._log_unrecorded(generation_id)

    def _log_unrecorded(self, generation_id: UUID) -> None:
        """Log the cost of one call, if it is not yet recorded or logged."""
        attempt = self._unrecorded.pop(generation_id, None)
        if attempt is not None and (attempt.billing, attempt.facts) != NO_COST:
            message = "generation %s: this process ends before the cost of its call is recorded: %s, %s"
            log.error(message, generation_id, attempt.billing, attempt.facts)

    async def _retry(self, running: Generation, commit: Callable[[], Awaitable[T]], *, ends_s: float = math.inf) -> T:
        """Return the result of the first `commit` that raises no error.

        Args:
            running: generation of the attempt.
            commit: commits a transaction. It can be repeated.
            ends_s: time of the event loop in seconds. The first try that begins after it is the last one. So a process
                that was frozen during a try makes one more, which shows whether its lease is lost.
        """
        loop = asyncio.get_running_loop()
        # The last bits of an id are random, so the generations of a process do not try again at the same moments.
        jitter = 1 - running.id.int % 512 / 1024
        delay_s = FIRST_RETRY_S
        while True:
            is_last = loop.time() >= ends_s
            try:
                # A connection that is silent for a whole lease is lost. The next try gets another one.
                async with asyncio.timeout(self.limits.lease_s):
                    return await commit()
            except asyncio.CancelledError:
                self._log_unrecorded(running.id)
                raise
            except Exception as error:
                if is_last:
                    raise
                log.warning("generation %s: cannot commit its result, trying again: %r", running.id, error)
            await asyncio.sleep(delay_s * jitter)
            delay_s = min(2 * delay_s, LONGEST_RETRY_S)

    async def _commit(self, running: Generation, attempt: Attempt) -> tuple[Generation | None, Cost]:
        """Commit the result.

        Returns:
            The stored generation and the recorded cost. If another process ended the generation first, its result is
            the stored one; if it also purged the generation, None.
        """
        result, billing, facts = attempt.result, attempt.billing, attempt.facts
        async with self.store.begin() as tx:
            ended: Generation | None
            if isinstance(result, Succeeded):
                ended = running.succeed(
                    at=await tx.now(),
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
            current = ended or await tx.generations.get(running.id)
        return current, (billing, facts)

    def _start_cleanup(self, running: Generation, attempt: Attempt, recorded: Cost, *, discard: bool) -> None:
        # In a task of its own: an adapter that ignores its cancellation must not delay the answer to the user.
        task = asyncio.create_task(self._clean_up(running, attempt, recorded, discard=discard))
        self._cleanups.add(task)
        task.add_done_callback(self._cleanups.discard)

    async def _clean_up(self, running: Generation, attempt: Attempt, recorded: Cost, *, discard: bool) -> None:
        """Remove the blobs of the attempt if `discard`, and record its cost if it is not `recorded` yet."""

        async def record() -> Cost:
            billing, facts = attempt.billing, attempt.facts
            async with self.store.begin() as tx:
                await self.outcomes.close_call(tx, running, None, billing=billing, facts=facts)
            return billing, facts

        discarding = asyncio.create_task(attempt.discard()) if discard else None
        if recorded != (attempt.billing, attempt.facts):
            recorded = await self._retry(running, record)
        if discarding is not None:
            await discarding
        if recorded != (attempt.billing, attempt.facts):  # the answer has come in the meantime
            await self._retry(running, record)
        self._unrecorded.pop(running.id, None)
