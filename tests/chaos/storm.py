"""Storm: users, faults and restarts at the same time, then a time without faults in which everything must settle."""

import asyncio
import logging
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from plushify_core import Generation, Reason
from tests.chaos.plan import KILLS, Fault, Kind, Plan
from tests.chaos.replica import PLUSHIFY, Replica
from tests.chaos.site import Site
from tests.chaos.user import End, Request, User

log = logging.getLogger(__name__)

GRANT_CREDITS = 5
TIMEOUT_S = 1500.0
SETTLE_TIMEOUT_S = 90.0
POLL_S = 0.5
GRANT_TIMEOUT_S = 60.0

PAUSE_AFTER_FAILURE_S = 2.0
"""Pause of a user after a failed request."""


class Grants(msgspec.Struct):
    """Credits granted on the command line. Those whose command failed are `uncertain`: they may have been committed."""

    certain: int = 0
    uncertain: int = 0


class Recovery(msgspec.Struct, frozen=True):
    """Recovery of a generation that a kill left unfinished: seconds from the kill until another process settled it."""

    generation_id: UUID
    seconds: float


class Storm:
    """One run of a plan at a site.

    Args:
        plan: faults and requests.
        site: the installation.
        replicas: servers of the site. By default, all of them are made as the plan says, from this code.

    Attributes:
        fault_counts: number of faults so far, by kind.
        grants: credits granted so far.
        recoveries: generations that kills left unfinished.
        problems: unexpected behaviour of processes, and generations that did not settle.
        duration_s: duration of the run.
    """

    def __init__(self, plan: Plan, site: Site, replicas: Sequence[Replica] | None = None) -> None:
        self.plan = plan
        self.site = site
        self.fault_counts: Counter[Kind] = Counter()
        self.grants = Grants()
        self.recoveries: list[Recovery] = []
        self.problems: list[str] = []
        self.duration_s = 0.0
        self.replicas = list(replicas or ()) or [
            Replica(f"replica-{number}", site.environment, site.folder) for number in range(plan.replicas)
        ]
        site.replicas = self.replicas
        self.users = [User(number, self.replicas) for number in range(plan.users)]
        self._faults_done = asyncio.Event()
        self._killed_at: dict[UUID, datetime] = {}

    @property
    def requests(self) -> list[Request]:
        """Submissions of all users."""
        return [request for user in self.users for request in user.requests]

    async def run(self) -> None:
        """Start the replicas, carry out the plan, and wait until everything has settled.

        Raises:
            TimeoutError: it took longer than `TIMEOUT_S`.
        """
        began = time.monotonic()
        self.site.model.script(self.plan.answers())
        async with asyncio.timeout(TIMEOUT_S):
            # One at a time, because the first one creates the tables and compiles the modules.
            for replica in self.replicas:
                await replica.start()
            recording = asyncio.create_task(self._record_recoveries())
            try:
                async with asyncio.TaskGroup() as group:
                    for number, user in enumerate(self.users):
                        group.create_task(self._use_service(number, user))
                    group.create_task(self._cause_faults())
                for replica in self.replicas:
                    await replica.up.wait()
                await self._wait_until_settled()
            finally:
                recording.cancel()
        self.duration_s = time.monotonic() - began

    async def aclose(self) -> None:
        """End all replicas, and close all connections."""
        for replica in self.replicas:
            replica.end()
        for user in self.users:
            await user.aclose()
        await self.site.store.aclose()

    async def _use_service(self, number: int, user: User) -> None:
        """Make requests until all faults have happened and enough generations were accepted."""
        await user.sign_up()
        for planned in self.plan.requests(number):
            if self._faults_done.is_set() and self._accepted() >= self.plan.generations:
                return
            await asyncio.sleep(planned.pause_s)
            request = await user.carry_out(planned)
            if request.end is End.SUCCEEDED:
                await user.view_gallery()
            else:
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)

    def _accepted(self) -> int:
        return sum(bool(request.ends - {End.REFUSED}) for request in self.requests)

    async def _cause_faults(self) -> None:
        async with asyncio.TaskGroup() as restarts:
            for fault in self.plan.faults():
                await asyncio.sleep(fault.after_s)
                await self._cause(fault, restarts)
                self.fault_counts[fault.kind] += 1
                log.info("%s; %d generations accepted so far", fault.kind, self._accepted())
        self._faults_done.set()

    async def _cause(self, fault: Fault, restarts: asyncio.TaskGroup) -> None:
        if fault.kind is Kind.GRANT:
            restarts.create_task(self._grant(self.users[fault.target % len(self.users)]))
        elif (inject := self.site.fault_injectors.get(fault.kind)) is not None:
            await inject(fault.lasts_s)
        else:
            replica = self.replicas[fault.target % len(self.replicas)]
            await replica.up.wait()
            if fault.kind in KILLS:
                await self._kill(replica, fault.kind)
            elif code := await replica.stop():
                self.problems.append(f"a graceful shutdown ended with exit code {code}: {replica.log}")
            restarts.create_task(self._restart(replica, fault.lasts_s))

    async def _kill(self, replica: Replica, kind: Kind) -> None:
        unfinished = [generation for generation in await self._all() if not generation.finished]
        now = datetime.now(UTC)
        await (replica.kill() if kind is Kind.KILL else replica.kill_worker())
        for generation in unfinished:
            self._killed_at.setdefault(generation.id, now)

    async def _restart(self, replica: Replica, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await replica.start()

    async def _grant(self, user: User) -> None:
        command = [PLUSHIFY, "credits", "grant", user.email, str(GRANT_CREDITS), "--reason", "chaos"]
        process = await asyncio.create_subprocess_exec(
            *command, env=self.site.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        async with asyncio.timeout(GRANT_TIMEOUT_S):
            _, errors = await process.communicate()
        if process.returncode == 0:
            self.grants.certain += GRANT_CREDITS
        elif b"There is no account" not in errors:
            self.grants.uncertain += GRANT_CREDITS

    async def _record_recoveries(self) -> None:
        """Poll the generations that kills left unfinished, and record when they are settled, before they are purged."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                async with self.site.store.begin() as tx:
                    found = await tx.audit.find(list(self._killed_at)) if self._killed_at else []
            except SQLAlchemyError:
                continue  # the disk is full, or the database connections were cut
            for generation in found:
                if generation.completed_at is None:
                    continue
                killed_at = self._killed_at.pop(generation.id)
                if _was_recovered(generation):
                    seconds = (generation.completed_at - killed_at).total_seconds()
                    self.recoveries.append(Recovery(generation.id, seconds))

    async def _wait_until_settled(self) -> None:
        """Wait until all generations are finished, failed ones are tidied, and deleted ones are purged."""
        ends = time.monotonic() + SETTLE_TIMEOUT_S
        while time.monotonic() < ends:
            now = datetime.now(UTC)
            unsettled = [
                generation
                for generation in await self._all()
                if not generation.finished
                or generation.untidy_since is not None
                or (generation.deleted_at and generation.deleted_at < now)
            ]
            if not unsettled and not self._killed_at:
                return
            await asyncio.sleep(POLL_S)
        self.problems += [f"generation {left.id} has not settled: {left.status}" for left in unsettled]

    async def _all(self) -> list[Generation]:
        async with self.site.store.begin() as tx:
            return list(await tx.audit.scan(after=None, limit=10_000))


def _was_recovered(generation: Generation) -> bool:
    """Return whether another process settled the generation, with a refund or by running it from the start."""
    interrupted = generation.failure is not None and generation.failure.reason is Reason.INTERRUPTED
    return interrupted or (generation.fence > 1 and generation.deleted_at is None)
