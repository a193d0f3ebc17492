"""Runner: runs generations in tasks of this process, independently of the requests that submitted them."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import UUID

from plushify_core.domain.errors import RateLimited, Reason
from plushify_core.domain.generation import Generation, Status
from plushify_core.domain.limits import Limits
from plushify_core.use_cases.gallery import GalleryUseCase
from plushify_core.use_cases.generate import GenerateUseCase
from plushify_core.worker.fair_slots import FairSlots
from plushify_core.worker.time_limits import run_within

log = logging.getLogger(__name__)

POLL_S = 0.5
"""Interval between two reads of a generation that another process runs."""

CLEANUP_TIMEOUT_S = 5.0
"""Longest time that a shutdown takes after draining, for settlements and for adapters that ignore their cancellation.

What is left then is not lost: a sweep of another process, or of the next start, refunds the generations when their
lease expires, and removes the blobs that are stored later.
"""

INITIAL_RUN_TIME_S = 10.0
"""Initial estimate of the run time, capped at a quarter of the timeout."""

OVERDUE_S = 1.0
"""Delay after the deadline before a generation without a slot is failed. By then the database agrees."""

RECLAIMED = ""
"""Queue key shared by all reclaimed generations, so that all of them together get one slot per round."""


class Runner:
    """Runner of the generations of this process. A generation continues if the client that submitted it disconnects.

    Args:
        generate: runs the generations.
        gallery: reads the generations that callers wait for.
        limits: `max_in_flight`, `max_running`, `timeout_s` and `drain_s`.
    """

    def __init__(self, *, generate: GenerateUseCase, gallery: GalleryUseCase, limits: Limits) -> None:
        self.stopping = asyncio.Event()
        self._generate = generate
        self._gallery = gallery
        self._limits = limits
        self._slots = FairSlots(limits.max_running)
        self._submitting = 0
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._running: set[UUID] = set()
        self._typical_s = min(INITIAL_RUN_TIME_S, limits.timeout_s / 4)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start to drain when `stop` is called or the block ends, and leave the block when the drain is complete.

        The block can be opened again after it has ended.
        """
        self.stopping = asyncio.Event()
        draining = asyncio.create_task(self._drain())
        try:
            yield
        finally:
            self.stop()
            await asyncio.wait({draining})

    def stop(self) -> None:
        """Start a graceful shutdown: start no more generations, and drain the running ones."""
        self.stopping.set()

    @contextmanager
    def reserve(self) -> Iterator[None]:
        """Reserve capacity for one submission until the block ends.

        A generation started inside the block keeps its own capacity until it ends.

        Raises:
            RateLimited: `server_busy`: this process is full or is shutting down.
        """
        if self.stopping.is_set():
            # After `drain_s` this process has ended, and another one answers.
            message = "The service is about to restart. Please try again in a moment."
            raise RateLimited(Reason.SERVER_BUSY, message, retry_after_s=_whole_seconds(self._limits.drain_s))
        full = self._submitting + len(self._tasks) >= self._limits.max_in_flight
        rounds = len(self._tasks) // self._limits.max_running + 1
        if full or (rounds > 1 and rounds * self._typical_s > self._limits.timeout_s):
            # Refuse a generation that would time out in the queue. A slot is free after the typical run time.
            raise RateLimited(Reason.SERVER_BUSY, retry_after_s=_whole_seconds(self._typical_s))
        self._submitting += 1
        try:
            yield
        finally:
            self._submitting -= 1

    def start(self, generation_id: UUID, *, user_id: str = RECLAIMED) -> None:
        """Queue a pending generation. Do nothing if this process already has it or is shutting down.

        Args:
            user_id: user whose queue it waits in.
        """
        if generation_id in self._tasks or self.stopping.is_set():
            return
        task = asyncio.create_task(self._run(generation_id, user_id))
        self._tasks[generation_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(generation_id))

    async def wait(self, user_id: str, generation_id: UUID, *, timeout_s: float) -> Generation:
        """Wait until a generation ends, whichever process runs it.

        Returns:
            The generation. It is unfinished if `timeout_s` seconds have passed or this process is shutting down.

        Raises:
            NotFound: the user has no generation with this id.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout_s
        while True:
            generation = await self._gallery.get(user_id, generation_id)
            left_s = ends - loop.time()
            if generation.finished or left_s <= 0:
                return generation
            task = self._tasks.get(generation_id)
            if task is not None and not task.done():
                # While it waits for a slot here, another process may reclaim it.
                await asyncio.wait({task}, timeout=left_s if generation_id in self._running else min(POLL_S, left_s))
            elif self.stopping.is_set():
                return generation
            else:
                await self.pause(min(POLL_S, left_s))

    async def pause(self, seconds: float) -> None:
        """Sleep until `seconds` have passed or the shutdown starts."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def _run(self, generation_id: UUID, user_id: str) -> None:
        loop = asyncio.get_running_loop()
        overdue_at = loop.time() + self._limits.timeout_s + OVERDUE_S
        has_slot = await self._slots.acquire(user_id, timeout_s=max(0, self._limits.timeout_s - self._typical_s))
        if not has_slot:
            # Do not pay for a call that would time out. `run` refunds the generation after its deadline, unless another
            # process has reclaimed it.
            await asyncio.sleep(overdue_at - loop.time())
        began = loop.time()
        self._running.add(generation_id)
        try:
            generation = await self._generate.run(generation_id)
            while generation.status is Status.PENDING and not self.stopping.is_set():
                await self.pause(POLL_S)  # a replay arrived first: the submission is still storing the photo
                generation = await self._generate.run(generation_id)
            if generation.finished and has_slot:
                # Smoothed like the round-trip time of TCP (RFC 6298 section 2).
                self._typical_s += (loop.time() - began - self._typical_s) / 8
        except Exception:
            log.exception("generation %s: its result could not be committed, the sweep settles it", generation_id)
        finally:
            self._running.remove(generation_id)
            if has_slot:
                self._slots.release()

    async def release(self, generation_ids: Collection[UUID]) -> None:
        """Release reclaimed generations that this process has not begun. If this fails, their leases expire."""
        if not generation_ids:
            return
        try:
            async with asyncio.timeout(CLEANUP_TIMEOUT_S):
                await self._generate.release(generation_ids)
        except Exception:
            log.exception("%d queued generations cannot be released, their leases expire", len(generation_ids))

    async def _drain(self) -> None:
        """After `stop`, wait up to `drain_s` for the running generations, then cancel them, which refunds them.

        This ends within `drain_s` + `CLEANUP_TIMEOUT_S`, whatever the adapters do. A generation that is not settled by
        then keeps its lease: a sweep refunds it when the lease expires.

        Queued generations stay pending for another replica, or for the next start. The leases of those that this
        process had reclaimed end at once, so the next sweep reclaims them. The others are reclaimed when their leases
        expire.
        """
        await self.stopping.wait()
        queued = self._tasks.keys() - self._running
        for generation_id in queued:
            self._tasks[generation_id].cancel()
        releasing = asyncio.create_task(self.release(queued))
        late: set[asyncio.Task[None]] = set()
        if self._tasks:
            log.info("waiting up to %g s for %d generations", self._limits.drain_s, len(self._running))
            _, late = await asyncio.wait(self._tasks.values(), timeout=self._limits.drain_s)
        for task in late:
            task.cancel()
        try:
            await run_within(CLEANUP_TIMEOUT_S, self._end_of({*late, releasing}))
        except TimeoutError:
            self._generate.log_unrecorded_costs()
            unsettled = sum(not task.done() for task in late)
            log.warning(
                "an adapter does not end: the shutdown does not wait for it, and leaves %d generations to a sweep",
                unsettled,
            )

    async def _end_of(self, tasks: set[asyncio.Task[None]]) -> None:
        """Wait until these tasks have ended, and the blobs of unsuccessful attempts are removed."""
        await asyncio.wait(tasks)
        await self._generate.wait_for_cleanup()


def _whole_seconds(seconds: float) -> int:
    """Return whole seconds for `Retry-After`, at least 1."""
    return max(1, math.ceil(seconds))
