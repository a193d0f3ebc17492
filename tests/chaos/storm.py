"""The storm: users, faults and restarts at once; then the quiet in which everything must settle."""

import asyncio
import logging
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from plushify_core import Generation, Reason
from tests.chaos.plan import KILLS, Fault, Kind, Plan
from tests.chaos.replica import PLUSHIFY, Replica
from tests.chaos.site import Site
from tests.chaos.visitor import End, Request, Visitor

log = logging.getLogger(__name__)

GRANT_CREDITS = 5
LONGEST_S = 1500.0
QUIET_S = 90.0
POLL_S = 0.5
GRANT_TIMEOUT_S = 60.0

READING_S = 2.0
"""How long a user looks at an error before they try something else."""


class Grants(msgspec.Struct):
    """Credits that were granted on the command line; of those in doubt nobody heard whether they stand."""

    certain: int = 0
    in_doubt: int = 0


class Struck(msgspec.Struct, frozen=True):
    """A generation that stood unfinished when a replica was killed, and that another had to settle."""

    generation_id: UUID
    seconds: float


class Storm:
    """One run of a plan at a site.

    Attributes:
        done: what was done to the service, by kind.
        struck: what the kills left behind, and how long that took to settle.
        troubles: what went wrong with the processes themselves.
    """

    def __init__(self, plan: Plan, site: Site) -> None:
        self.plan = plan
        self.site = site
        self.done: Counter[Kind] = Counter()
        self.grants = Grants()
        self.struck: list[Struck] = []
        self.troubles: list[str] = []
        self.seconds = 0.0
        self.replicas = [Replica(f"replica-{number}", site.environment, site.folder) for number in range(plan.replicas)]
        site.replicas = self.replicas
        self.visitors = [Visitor(number, self.replicas) for number in range(plan.users)]
        self._over = asyncio.Event()
        self._hit: dict[UUID, datetime] = {}

    @property
    def requests(self) -> list[Request]:
        """All that was submitted by all users."""
        return [request for visitor in self.visitors for request in visitor.requests]

    async def run(self) -> None:
        """Start the replicas, carry out the plan, and wait until it is quiet.

        Raises:
            TimeoutError: it took longer than `LONGEST_S`.
        """
        began = time.monotonic()
        self.site.model.script(self.plan.answers())
        async with asyncio.timeout(LONGEST_S):
            # One after the other: the first one makes the tables, and compiles what all of them import.
            for replica in self.replicas:
                await replica.start()
            watch = asyncio.create_task(self._watch())
            try:
                async with asyncio.TaskGroup() as group:
                    for number, visitor in enumerate(self.visitors):
                        group.create_task(self._live(number, visitor))
                    group.create_task(self._strike())
                for replica in self.replicas:
                    await replica.up.wait()
                await self._quiet()
            finally:
                watch.cancel()
        self.seconds = time.monotonic() - began

    async def aclose(self) -> None:
        """Leave nothing behind."""
        for replica in self.replicas:
            replica.end()
        for visitor in self.visitors:
            await visitor.aclose()
        await self.site.store.aclose()

    async def _live(self, number: int, visitor: Visitor) -> None:
        """A user's day: on until the faults are over and enough was accepted."""
        await visitor.sign_up()
        for wish in self.plan.wishes(number):
            if self._over.is_set() and self._accepted() >= self.plan.generations:
                return
            await asyncio.sleep(wish.pause_s)
            request = await visitor.wish(wish)
            if request.end is End.SUCCEEDED:
                await visitor.look()
            else:
                await asyncio.sleep(READING_S)

    def _accepted(self) -> int:
        return sum(bool(request.ends - {End.REFUSED}) for request in self.requests)

    async def _strike(self) -> None:
        async with asyncio.TaskGroup() as restarts:
            for fault in self.plan.faults():
                await asyncio.sleep(fault.after_s)
                await self._carry_out(fault, restarts)
                self.done[fault.kind] += 1
                log.info("%s; %d generations accepted so far", fault.kind, self._accepted())
        self._over.set()

    async def _carry_out(self, fault: Fault, restarts: asyncio.TaskGroup) -> None:
        if fault.kind is Kind.GRANT:
            restarts.create_task(self._grant(self.visitors[fault.target % len(self.visitors)]))
        elif (strike := self.site.strikes.get(fault.kind)) is not None:
            await strike(fault.lasts_s)
        else:
            replica = self.replicas[fault.target % len(self.replicas)]
            await replica.up.wait()
            if fault.kind in KILLS:
                await self._kill(replica, fault.kind)
            elif code := await replica.stop():
                self.troubles.append(f"a replica that was asked to stop ended with {code}: {replica.log}")
            restarts.create_task(self._restart(replica, fault.lasts_s))

    async def _kill(self, replica: Replica, kind: Kind) -> None:
        unfinished = [generation for generation in await self._all() if not generation.finished]
        now = datetime.now(UTC)
        await (replica.kill() if kind is Kind.KILL else replica.kill_worker())
        for generation in unfinished:
            self._hit.setdefault(generation.id, now)

    async def _restart(self, replica: Replica, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await replica.start()

    async def _grant(self, visitor: Visitor) -> None:
        command = [PLUSHIFY, "credits", "grant", visitor.email, str(GRANT_CREDITS), "--reason", "chaos"]
        process = await asyncio.create_subprocess_exec(
            *command, env=self.site.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        async with asyncio.timeout(GRANT_TIMEOUT_S):
            _, told = await process.communicate()
        if process.returncode == 0:
            self.grants.certain += GRANT_CREDITS
        elif b"There is no account" not in told:
            self.grants.in_doubt += GRANT_CREDITS

    async def _watch(self) -> None:
        """See when what a kill left behind is settled, before its row can be erased."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                async with self.site.store.begin() as tx:
                    found = await tx.audit.find(list(self._hit)) if self._hit else []
            except SQLAlchemyError:
                continue  # a full disk, or the cut that the harness makes itself
            for generation in found:
                if generation.completed_at is None:
                    continue
                killed_at = self._hit.pop(generation.id)
                if _was_left_behind(generation):
                    seconds = (generation.completed_at - killed_at).total_seconds()
                    self.struck.append(Struck(generation.id, seconds))

    async def _quiet(self) -> None:
        """Wait until nothing is on its way any more: what stands then is judged."""
        ends = time.monotonic() + QUIET_S
        while time.monotonic() < ends:
            now = datetime.now(UTC)
            left = [
                generation
                for generation in await self._all()
                if not generation.finished
                or generation.untidy_since is not None
                or (generation.deleted_at and generation.deleted_at < now)
            ]
            if not left and not self._hit:
                return
            await asyncio.sleep(POLL_S)
        self.troubles += [f"generation {generation.id} does not settle: {generation.status}" for generation in left]

    async def _all(self) -> list[Generation]:
        async with self.site.store.begin() as tx:
            return list(await tx.audit.scan(after=None, limit=10_000))


def _was_left_behind(generation: Generation) -> bool:
    """Whether another process settled it, by a refund or by running it from the beginning."""
    interrupted = generation.failure is not None and generation.failure.reason is Reason.INTERRUPTED
    return interrupted or (generation.fence > 1 and generation.deleted_at is None)
