"""Sweeper: runs the recovery periodically, and starts the generations that it reclaims."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from plushify_core.use_cases.recover import RecoverUseCase
from plushify_core.worker.runner import CLEANUP_TIMEOUT_S, Runner

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]
"""Periodic job. An exception is logged, and the job runs again after the next interval."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweeper:
    """Periodic jobs of this process, run until the runner stops.

    Args:
        recover: recovery to run.
        runner: runner that starts the reclaimed generations.
        interval_s: seconds between two sweeps.
    """

    recover: RecoverUseCase
    runner: Runner
    interval_s: float

    @asynccontextmanager
    async def running(self, *jobs: Job) -> AsyncIterator[None]:
        """Sweep, and run `jobs`, at each interval until the runner stops.

        The caller must stop the runner inside the block. Otherwise the block never ends.
        """
        database = [asyncio.create_task(self._every(job)) for job in (self.sweep_leases, *jobs)]
        blobs = asyncio.create_task(self._every(self.sweep_blobs))
        try:
            yield
        finally:
            await asyncio.wait(database)
            # Cancel this sweep only if it hangs, because a cancelled statement may leave SQLite locked for a while.
            await asyncio.wait({blobs}, timeout=CLEANUP_TIMEOUT_S)
            blobs.cancel()
            await asyncio.wait({blobs}, timeout=CLEANUP_TIMEOUT_S)

    async def sweep_leases(self) -> None:
        """Settle expired leases, and start the reclaimed generations here, even if this process is full."""
        for generation_id in (await self.recover.sweep_leases()).to_run:
            self.runner.start(generation_id)

    async def sweep_blobs(self) -> None:
        """Purge deleted generations, and remove orphaned blobs."""
        await self.recover.sweep_blobs()

    async def _every(self, job: Job) -> None:
        while not self.runner.stopping.is_set():
            try:
                await job()
            except Exception:
                name = getattr(job, "__name__", repr(job))
                log.exception("the job %s failed and runs again in %g s", name, self.interval_s)
            await self.runner.pause(self.interval_s)
