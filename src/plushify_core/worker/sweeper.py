"""Sweeper: runs the recovery periodically, and starts the generations that it reclaims."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from plushify_core.domain.limits import Limits
from plushify_core.use_cases.recover import RecoverUseCase
from plushify_core.worker.runner import CLEANUP_TIMEOUT_S, Runner
from plushify_core.worker.time_limits import cancel_within

log = logging.getLogger(__name__)

CANCELLATION_TIMEOUT_S = 1.0
"""Longest time that a shutdown waits for a cancelled job."""

Job = Callable[[], Awaitable[object]]
"""Periodic job. An exception is logged, and the job runs again after the next interval."""


@dataclass(kw_only=True, eq=False)
class Sweeper:
    """Periodic jobs of this process, run until the runner stops.

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
        running = [asyncio.create_task(self._every(job)) for job in (self.sweep_leases, self.sweep_blobs, *jobs)]
        ending = asyncio.create_task(self._end(running))
        try:
            yield
        finally:
            await asyncio.wait({ending})

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

    async def _end(self, running: list[asyncio.Task[None]]) -> None:
        """After the runner stops, wait for the jobs that run, and cancel those that hang.

        This ends within `CLEANUP_TIMEOUT_S` + `CANCELLATION_TIMEOUT_S`, whatever the adapters do, while the runner
        drains. The next sweep, of any process, does what is left.
        """
        await self.runner.stopping.wait()
        # Cancel a job only if it hangs, because a cancelled statement may leave SQLite locked for a while.
        _, hanging = await asyncio.wait(running, timeout=CLEANUP_TIMEOUT_S)
        if not await cancel_within(CANCELLATION_TIMEOUT_S, hanging):
            log.warning("a sweep hangs: the shutdown does not wait for it")

    async def _every(self, job: Job) -> None:
        while not self.runner.stopping.is_set():
            try:
                await job()
            except Exception:
                name = getattr(job, "__name__", repr(job))
                log.exception("the job %s failed and runs again in %g s", name, self.limits.sweep_interval_s)
            await self.runner.pause(self.limits.sweep_interval_s)
