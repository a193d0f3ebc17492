"""Runs generations apart from the requests that submitted them, and sweeps what dead processes left behind."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from uuid import UUID

from plushify_core import GalleryUseCase, GenerateUseCase, Generation, RateLimited, Reason, RecoverUseCase, Status
from plushify_web.turns import Turns

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How often the store is asked for a generation that another process runs."""

TIDY_S = 5.0
"""How long a shutdown waits for work that ignores its cancellation. A sweep removes what it may still store."""

FIRST_GUESS_S = 10.0
"""How long a generation runs, as far as a process knows that has not seen one; or a quarter of the time it may take."""

OVERDUE_S = 1.0
"""How long after its time a generation that has had no turn is given up: when every clock agrees that it is over."""

SWEPT = ""
"""Whose line what a sweep took over waits in: nobody's. However much that is, it has one turn in each round."""


class Runner:
    """The generations this process has in hand. They belong to it, not to a request: who goes away loses nothing.

    Args:
        timeout_s: how long a generation may take, from its submission to its picture.
        max_in_flight: how many generations are in hand before a submission is refused: those that are being
            submitted, those that wait for their turn and those that run.
        max_running: how many of them run at once; users take turns.
        sweep_interval_s: seconds between two sweeps.
        drain_s: how long a shutdown waits for running generations before it ends them with a refund.
    """

    def __init__(
        self,
        *,
        generate: GenerateUseCase,
        gallery: GalleryUseCase,
        recover: RecoverUseCase,
        timeout_s: float,
        max_in_flight: int,
        max_running: int,
        sweep_interval_s: float,
        drain_s: float,
    ) -> None:
        self._generate = generate
        self._gallery = gallery
        self._recover = recover
        self._timeout_s = timeout_s
        self._max_in_flight = max_in_flight
        self._max_running = max_running
        self._sweep_interval_s = sweep_interval_s
        self._drain_s = drain_s
        self._turns = Turns(max_running)
        self._submitting = 0
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._running: set[UUID] = set()
        self._usual_s = min(FIRST_GUESS_S, timeout_s / 4)
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep while the block lasts; at its end, bring every running generation to an end."""
        settling = asyncio.create_task(self._again_and_again(self.sweep))
        tidying = asyncio.create_task(self._again_and_again(self.tidy))
        draining = asyncio.create_task(self._drain())
        try:
            yield
        finally:
            self.stop()
            await asyncio.wait({settling, draining})
            # Cancelled last, and only if it hangs: a statement that is cancelled may leave SQLite locked for a while.
            await asyncio.wait({tidying}, timeout=TIDY_S)
            tidying.cancel()
            await asyncio.wait({tidying}, timeout=TIDY_S)

    def stop(self) -> None:
        """Begin no generation any more, and bring those that run to an end."""
        self._stopping.set()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Room for one submission while the block lasts. A generation that is started in it has room until its end.

        Raises:
            RateLimited: `server_busy`: there is no room, or this process is about to stop.
        """
        if self._stopping.is_set():
            # By then it has ended, and its successor or another replica answers.
            message = "The service is about to restart. Please try again in a moment."
            raise RateLimited(Reason.SERVER_BUSY, message, retry_after_s=_whole(self._drain_s))
        full = self._submitting + len(self._tasks) >= self._max_in_flight
        rounds = len(self._tasks) // self._max_running + 1
        if full or (rounds > 1 and rounds * self._usual_s > self._timeout_s):
            # Who has no prospect of a picture in time learns of it now and not in a minute. In the time that one
            # generation takes, all that run now are done.
            raise RateLimited(Reason.SERVER_BUSY, retry_after_s=_whole(self._usual_s))
        self._submitting += 1
        try:
            yield
        finally:
            self._submitting -= 1

    def start(self, generation_id: UUID, *, user_id: str = SWEPT) -> None:
        """Run a pending generation when it is its user's turn, unless this process has it already or is about to
        stop."""
        if generation_id in self._tasks or self._stopping.is_set():
            return
        task = asyncio.create_task(self._run(generation_id, user_id))
        self._tasks[generation_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(generation_id))

    async def wait(self, user_id: str, generation_id: UUID, *, timeout_s: float) -> Generation:
        """The user's generation once it has ended, whoever runs it; or as it stands, after `timeout_s` or when this
        process stops.

        Raises:
            NotFound: the user has no such generation.
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
                # While it waits for its turn here, another process may take it over.
                await asyncio.wait({task}, timeout=left_s if generation_id in self._running else min(POLL_S, left_s))
            elif self._stopping.is_set():
                return generation
            else:
                await self._pause(min(POLL_S, left_s))

    async def sweep(self) -> None:
        """Settle what dead processes left behind; what that took over is run here. It is never refused, for nobody
        would come back with it."""
        swept = await self._recover.settle()
        for generation_id in swept.to_run:
            self.start(generation_id)

    async def tidy(self) -> None:
        """Remove the blobs of what was deleted, and what was stored in vain. It is no part of `sweep`, so that no
        refund waits for a blob store that does not answer."""
        await self._recover.tidy()

    async def _run(self, generation_id: UUID, user_id: str) -> None:
        loop = asyncio.get_running_loop()
        over = loop.time() + self._timeout_s + OVERDUE_S
        in_turn = await self._turns.take(user_id, timeout_s=max(0, self._timeout_s - self._usual_s))
        if not in_turn:
            # Too late for a picture: a call would be paid for nothing, and take the turn of somebody who has time.
            # Unless another replica takes it over meanwhile, `run` refunds it when its time is over.
            await asyncio.sleep(over - loop.time())
        began = loop.time()
        self._running.add(generation_id)
        try:
            generation = await self._generate.run(generation_id)
            while generation.status is Status.PENDING and not self._stopping.is_set():
                await self._pause(POLL_S)  # a replay came before the photo: its submission is still storing it
                generation = await self._generate.run(generation_id)
            if generation.finished and in_turn:
                # Smoothed as TCP does it with round trips (RFC 6298 section 2).
                self._usual_s += (loop.time() - began - self._usual_s) / 8
        except Exception:
            log.exception("generation %s: its end could not be committed, the sweep will settle it", generation_id)
        finally:
            self._running.remove(generation_id)
            if in_turn:
                self._turns.give_back()

    async def _drain(self) -> None:
        """Once told to stop, wait for what runs, then cancel it: the use case refunds.

        What waits for its turn stays pending. Another replica, or this installation's next start, takes it over
        when its lease is over and makes the picture, or refunds it if that is too late: the user need not try again.
        """
        await self._stopping.wait()
        for generation_id, task in self._tasks.items():
            if generation_id not in self._running:
                task.cancel()
        if self._tasks:
            log.info("waiting up to %g s for %d generations", self._drain_s, len(self._running))
            _, late = await asyncio.wait(self._tasks.values(), timeout=self._drain_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        try:
            await asyncio.wait_for(self._generate.tidied(), TIDY_S)
        except TimeoutError:
            log.warning("gave up waiting for an image model that does not stop")

    async def _again_and_again(self, job: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping.is_set():
            try:
                await job()
            except Exception:
                log.exception("the %s failed, the next one follows in %g s", job.__name__, self._sweep_interval_s)
            await self._pause(self._sweep_interval_s)

    async def _pause(self, seconds: float) -> None:
        """Wait that long, or until this process is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _whole(seconds: float) -> int:
    """What `Retry-After` takes: whole seconds, one at least."""
    return max(1, math.ceil(seconds))
