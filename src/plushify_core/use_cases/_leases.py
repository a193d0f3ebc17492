"""Heartbeat of a process: renews the leases of the generations that it runs."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

from plushify_core.domain.generation import Generation
from plushify_core.domain.limits import Limits
from plushify_core.ports import Store

log = logging.getLogger(__name__)

BEATS_PER_LEASE = 3
"""Number of beats in one lease."""

RENEWALS_PER_LEASE = 2
"""Number of renewals that fit into one lease if each of them hangs until its time limit.

A renewal that begins one beat after the last success, and hangs, ends before the lease does: 1/3 + 1/2 < 1. So there is
time for one more.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class LeaseKeeper:
    """Renews the leases of all generations that this process runs, together, at each beat.

    A lease that is lost is not noticed here: the compare-and-set of the settlement decides.
    """

    store: Store
    limits: Limits
    _fences: dict[UUID, int] = field(init=False, default_factory=dict)
    _heartbeats: dict[asyncio.Event, asyncio.Task[None]] = field(init=False, default_factory=dict)

    @contextmanager
    def keeping(self, running: Generation) -> Iterator[None]:
        """Renew the lease of this generation until the block ends."""
        self._fences[running.id] = running.fence
        if len(self._fences) == 1:
            self._start()
        try:
            yield
        finally:
            del self._fences[running.id]
            if not self._fences:
                self._stop()

    def _start(self) -> None:
        stop = asyncio.Event()
        self._heartbeats[stop] = heartbeat = asyncio.create_task(self._beat(stop))
        heartbeat.add_done_callback(lambda _: self._heartbeats.pop(stop))

    def _stop(self) -> None:
        # Not cancelled, because a cancelled statement may leave SQLite locked for a while.
        for stop in self._heartbeats:
            stop.set()

    async def _beat(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        beat_s = loop.time()
        while not stop.is_set():
            # After a renewal that took longer than a beat, or a freeze of the process, the next one begins at once.
            beat_s = max(beat_s + self.limits.lease_s / BEATS_PER_LEASE, loop.time())
            with suppress(TimeoutError):
                async with asyncio.timeout_at(beat_s):
                    await stop.wait()
            if not stop.is_set():
                await self._try_to_renew()

    async def _try_to_renew(self) -> None:
        fences = dict(self._fences)
        try:
            async with asyncio.timeout(self.limits.lease_s / RENEWALS_PER_LEASE), self.store.begin() as tx:
                renewed = await tx.generations.renew(fences, await tx.now() + self.limits.lease)
        except Exception:
            log.exception("cannot renew the leases of %d generations, trying again", len(fences))
            return
        for generation_id in fences.keys() & self._fences.keys() - renewed:
            log.info("generation %s: its lease was not renewed: it is being settled, perhaps by a sweep", generation_id)
