"""Runs generations apart from the requests that submitted them, and sweeps what dead processes left behind."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep while the block lasts; at its end, bring every generation to an end."""
        sweeper = asyncio.create_task(self._sweep_forever())
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.wait({sweeper})
            await self.drain()

    def start(self, generation_id: UUID) -> None:
        """Run a pending generation, unless this process does already."""
        if generation_id not in self._tasks:
            self._tasks[generation_id] = asyncio.create_task(self._run(generation_id))

    async def wait(self, user_id: str, generation_id: UUID, *, timeout_s: float) -> Generation:
        """The user's generation once it has ended, or as it stands after `timeout_s`, whoever runs it.

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
            else:
                await asyncio.sleep(min(POLL_S, left_s))

    async def sweep(self) -> None:
        """One sweep; what it took over is run here."""
        swept = await self._recover.sweep()
        for generation_id in swept.to_run:
            self.start(generation_id)

    async def drain(self) -> None:
        """Wait for what runs, then cancel it: the use case refunds."""
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

    async def _run(self, generation_id: UUID) -> None:
        try:
            await self._generate.run(generation_id)
        except Exception:
            log.exception("generation %s: its end could not be committed, the sweep will settle it", generation_id)
        finally:
            # Here and not in a callback: whoever waits for the task sees it gone when it is done.
            del self._tasks[generation_id]

    async def _sweep_forever(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("the sweep failed, the next one follows in %g s", self._sweep_interval_s)
            await asyncio.sleep(self._sweep_interval_s)
