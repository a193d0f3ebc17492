"""Runs generations apart from the requests that submitted them, and sweeps what dead processes left behind."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from plushify_core import GalleryUseCase, GenerateUseCase, Generation, RecoverUseCase

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How often the store is asked for a generation that another process runs."""

TIDY_S = 5.0
"""How long a shutdown waits for work that ignores its cancellation; the sweep removes what it may still store."""


class Runner:
    """The generations this process runs. They belong to it, not to a request: who goes away loses nothing.

    Args:
        sweep_interval_s: seconds between two sweeps.
        drain_s: how long a shutdown waits for running generations before it ends them with a refund.
    """

    def __init__(
        self,
        *,
        generate: GenerateUseCase,
        gallery: GalleryUseCase,
        recover: RecoverUseCase,
        sweep_interval_s: float,
        drain_s: float,
    ) -> None:
        self._generate = generate
        self._gallery = gallery
        self._recover = recover
        self._sweep_interval_s = sweep_interval_s
        self._drain_s = drain_s
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep while the block lasts; at its end, bring every generation to an end."""
        jobs = {asyncio.create_task(self._sweep_forever()), asyncio.create_task(self._drain())}
        try:
            yield
        finally:
            self.stop()
            await asyncio.wait(jobs)

    def stop(self) -> None:
        """Begin no generation any more, and bring those that run to an end. Those not begun are left to the sweep
        of another process."""
        self._stopping.set()

    def start(self, generation_id: UUID) -> None:
        """Run a pending generation, unless this process does already or is about to stop."""
        if generation_id not in self._tasks and not self._stopping.is_set():
            self._tasks[generation_id] = asyncio.create_task(self._run(generation_id))

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
            if task := self._tasks.get(generation_id):
                await asyncio.wait({task}, timeout=left_s)
            elif self._stopping.is_set():
                return generation
            else:
                await self._pause(min(POLL_S, left_s))

    async def sweep(self) -> None:
        """One sweep; what it took over is run here."""
        swept = await self._recover.sweep()
        for generation_id in swept.to_run:
            self.start(generation_id)

    async def _run(self, generation_id: UUID) -> None:
        try:
            await self._generate.run(generation_id)
        except Exception:
            log.exception("generation %s: its end could not be committed, the sweep will settle it", generation_id)
        finally:
            # Here and not in a callback: whoever waits for the task sees it gone when it is done.
            del self._tasks[generation_id]

    async def _drain(self) -> None:
        """Once told to stop, wait for what runs, then cancel it: the use case refunds."""
        await self._stopping.wait()
        if self._tasks:
            log.info("waiting up to %g s for %d generations", self._drain_s, len(self._tasks))
            _, late = await asyncio.wait(self._tasks.values(), timeout=self._drain_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        try:
            await asyncio.wait_for(self._generate.tidied(), TIDY_S)
        except TimeoutError:
            log.warning("gave up waiting for an image model that does not stop")

    async def _sweep_forever(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.sweep()
            except Exception:
                log.exception("the sweep failed, the next one follows in %g s", self._sweep_interval_s)
            await self._pause(self._sweep_interval_s)

    async def _pause(self, seconds: float) -> None:
        """Wait that long, or until this process is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
