"""Sweeper: runs the recovery periodically, and starts the generations that it reclaims."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from plushify_core.domain.limits import Limits
from plushify_core.use_cases.recover import RecoverUseCase
from plushify_core.worker.runner import CLEANUP_TIMEOUT_S, Runner

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]
"""Periodic job. An exception is logged, and the job runs again after the next interval."""


@dataclass(kw_only=True, eq=False)
class Sweeper:
    """Runs periodic jobs until the runner stops.

    Args:
        recover: recovery to run.
        runner: runner that starts the reclaimed generations.
        limits: `sweep_interval_s` and `lease_s`.
    """

    recover: RecoverUseCase
    runner: Runner
    limits: Limits
    _store_failed: bool = field(init=False, default=False)

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
        if self._store_failed:
            await self._wait_for_settlements()
            if self.runner.stopping.is_set():
                return
        try:
            reclaimed = (await self.recover.sweep_leases()).to_run
        except Exception:
            self._store_failed = True
            raise
        self._store_failed = False
        for generation_id in reclaimed:
            self.runner.start(generation_id)
        if self.runner.stopping.is_set():
            await self.runner.release(reclaimed)  # the runner has started none of them

    async def _wait_for_settlements(self) -> None:
        """Wait until the database is available, and then for one lease.

        While it was unavailable, no process could renew its leases or commit its results. Those that are alive settle
        now. A sweep that came first would refund pictures that are drawn and paid.
        """
        await self.recover.check_store()
        await self.runner.pause(self.limits.lease_s)

    async def sweep_blobs(self) -> None:
        """Purge deleted generations, and remove orphaned blobs."""
        await self.recover.sweep_blobs()

    async def _every(self, job: Job) -> None:
        while not self.runner.stopping.is_set():
            try:
                await job()
            except Exception:
                name = getattr(job, "__name__", repr(job))
                log.exception("the job %s failed and runs again in %g s", name, self.limits.sweep_interval_s)
            await self.runner.pause(self.limits.sweep_interval_s)
