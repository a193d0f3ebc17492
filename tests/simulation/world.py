"""A world, from its first operation until it is quiet."""

import asyncio
import contextvars
import itertools
import logging
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any
from uuid import UUID

import msgspec

from plushify_core.use_cases.audit import AuditUseCase, Finding
from tests import invariants, virtual_time
from tests.in_memory import Ids
from tests.invariants import short
from tests.scripted import Answer, Script, ScriptedModel
from tests.simulation.clients import Clients
from tests.simulation.plan import CALM, Kind, Operation, Plan
from tests.simulation.replica import EXPIRE_DAYS, LIMITS, Replica, Scene, current
from tests.simulation.story import Story
from tests.simulation.watch import Watch

STORM_S = 100.0
"""How long faults go on after the last operation has begun."""

QUIET_S = 500.0
"""After this long without a fault, every lease, deadline, undo window and late write is over, and every replica has
swept behind each."""

SLOW_ANSWERS_S = 30.0, 59.9, 60.5, 70.0, 100.0, 1e5


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a world: `broken` is the first promise that it broke, if any. A step is a passage of a wire."""

    broken: str | None
    trace: tuple[str, ...]
    statements: tuple[str, ...]
    steps: int
    faults: Counter[str]
    fault_names: tuple[str, ...]


def simulate(plan: Plan) -> Report:
    """Let the world of this plan happen."""
    logging.disable(logging.CRITICAL)  # in these worlds, everything that is logged happens all the time
    try:
        with asyncio.Runner(loop_factory=virtual_time.VirtualTimeLoop) as runner:
            runner.get_loop().set_exception_handler(lambda loop, context: None)  # the dead leave tasks behind
            return runner.run(_live(plan))
    finally:
        logging.disable(logging.NOTSET)


async def _live(plan: Plan) -> Report:
    return await World(plan).live()  # made here, on the loop it lives on


class World:
    """Everything there is."""

    def __init__(self, plan: Plan) -> None:
        self.steps = 0
        self.calm = False
        self.asked_by: dict[UUID, Operation | None] = {}
        self._plan = plan
        # Whole days are too long for a world.
        days: Any = EXPIRE_DAYS if plan.credits_expire else None
        self._limits = msgspec.structs.replace(LIMITS, credits_expire_days=days)
        self._trace: list[str] = []
        self._faults: Counter[str] = Counter()
        self._fault_names: list[str] = []
        self._broken: asyncio.Future[str] = asyncio.Future()
        self._calming: asyncio.Future[None] = asyncio.Future()
        self._watch = Watch(note=self.note, object_to=self._object_to)
        self._numbers = itertools.count()
        self._calls: Counter[UUID] = Counter()
        self._tasks: list[asyncio.Task[None]] = []
        self._replicas = [self._replica(number, "nobody") for number in range(len(plan.skews_s))]
        self._clients = Clients(
            seed=plan.seed,
            watch=self._watch,
            replica=lambda number: self._replicas[number % len(self._replicas)],
            note=self.note,
            asked_by=self.asked_by,
        )

    async def live(self) -> Report:
        """Until a promise is broken, or all is quiet and in order."""
        history = self._in_scene("world", self._history())
        ends: set[asyncio.Future[Any]] = {history, self._broken}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if history.done():
            history.result()  # an error of the simulator itself is no finding
        return Report(
            broken=self._broken.result() if self._broken.done() else None,
            trace=tuple(self._trace),
            statements=tuple(self._statements()),
            steps=self.steps,
            faults=self._faults,
            fault_names=tuple(self._fault_names),
        )

    def _statements(self) -> Iterator[str]:
        for user, balance in self._watch.snapshot().balances.items():
            yield f"the statement of {user}, who has {balance} credits:"
            yield from (f"  {line}" for line in self._story().lines(user))

    def note(self, text: str) -> None:
        """Something happened."""
        self._trace.append(f"{asyncio.get_running_loop().time():9.3f} s  {text}")

    def fault(self, kind: str, name: str, text: str) -> None:
        """A fault happened; under its name it can be muted."""
        self._faults[kind] += 1
        self._fault_names.append(name)
        self.note(f"! {text}")

    def _object_to(self, broken: str) -> None:
        if not self._broken.done():
            self.note(f"BROKEN: {broken}")
            self._broken.set_result(broken)

    # ── replicas ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _supervise(self, number: int) -> None:
        """Keep a replica up: when it has died, another life of it begins a while later."""
        dice = current.get().dice
        for life in itertools.count(1):
            replica = self._replica(number, f"{chr(ord('A') + number)}{life}")
            self._replicas[number] = replica
            self.note(f"{replica.name} is up")
            current.set(Scene(self._plan.seed, replica.name))
            replica.start()
            await replica.ended.wait()
            await asyncio.wait({self._calming}, timeout=dice.choice([1, 20, 45, 100]))

    def _replica(self, number: int, name: str) -> Replica:
        return Replica(
            name,
            journal=self,
            skew_s=self._plan.skews_s[number],
            limits=self._limits,
            weather=self._plan.weather,
            muted=self._plan.muted,
            numbers=self._numbers,
            store=self._watch.store,
            blobs=self._watch.blobs,
            model=ScriptedModel(self._script, self._called),
            sweep_interval_s=30.0 + 7 * number,
        )

    def _script(self) -> Script:
        dice, weather = current.get().dice, CALM if self.calm else self._plan.weather
        answer = dice.choice(list(Answer)) if dice.random() < weather.bad_model_rate else Answer.PICTURE
        delay_s = dice.choice(SLOW_ANSWERS_S) if dice.random() < weather.slow_model_rate else 3.0
        stubborn = dice.random() < weather.stubborn_rate
        if (answer, delay_s) != (Answer.PICTURE, 3.0):
            self._faults[f"model: {answer}, {'late' if delay_s > 60 else 'slow' if delay_s > 3 else 'at once'}"] += 1
            self.note(f"  the model will answer {answer} in {delay_s:g} s{', whatever happens' * stubborn}")
        return Script(answer=answer, delay_s=delay_s, stubborn=stubborn)

    def _called(self, generation_id: UUID) -> None:
        self._calls[generation_id] += 1
        self.note(f"  the model is called for generation {short(generation_id)}")
        if self._calls[generation_id] > 1:
            self._object_to(f"the model is called again for generation {short(generation_id)}")
        if generation_id not in self._watch.snapshot().calls:
            self._object_to(f"the model is called for generation {short(generation_id)}, and no dispatch is committed")

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────

    async def _history(self) -> None:
        for number in range(len(self._replicas)):
            self._tasks.append(self._in_scene(f"supervisor {number}", self._supervise(number)))
        loop = asyncio.get_running_loop()
        begun = []
        for operation in self._plan.operations:
            await asyncio.sleep(operation.at_s - loop.time())
            begun.append(self._in_scene(f"{operation.number}", self._perform(operation)))
        await asyncio.sleep(STORM_S)
        self.calm = True
        self._calming.set_result(None)
        self.note("from now on, nothing fails")
        await asyncio.sleep(QUIET_S)
        for operation, task in zip(self._plan.operations, begun, strict=True):
            if not task.done():
                self._object_to(f"operation {operation.number} ({operation.kind}) has never come back")
            elif task.exception() is not None:
                raise AssertionError("the simulator itself is at fault") from task.exception()
        for replica in self._replicas:
            for generation_id in replica.plushify.runner._tasks:
                self._object_to(f"{replica.name} still runs generation {short(generation_id)}")
        for user, subscription in self._watch.store._tables.subscriptions.items():
            if subscription.next_expiry_at is not None and subscription.next_expiry_at < virtual_time.now():
                self._object_to(f"credits of {user} are over, and nobody takes them back")
        await self._check_quiet()

    def _in_scene(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        context = contextvars.copy_context()
        context.run(current.set, Scene(self._plan.seed, name))
        return asyncio.get_running_loop().create_task(work, context=context)

    async def _perform(self, operation: Operation) -> None:
        replica = self._replicas[operation.replica]
        match operation.kind:
            case Kind.KILL:
                self.note(f"{replica.name} is killed")
                self._faults["kill"] += 1
                replica.kill()
            case Kind.FREEZE:
                self.note(f"{replica.name} freezes for {operation.seconds:g} s")
                self._faults["freeze"] += 1
                replica.thaws_at_s = asyncio.get_running_loop().time() + operation.seconds
            case Kind.REDEPLOY:
                self.note(f"{replica.name} is shut down")
                self._faults["redeploy"] += 1
                await replica.stop()
            case _:
                await self._clients.perform(operation)

    # ── once all is quiet ────────────────────────────────────────────────────────────────────────────────────

    async def _check_quiet(self) -> None:
        left = self._watch.snapshot()
        for broken in itertools.chain(
            invariants.violations(left), invariants.unsettled(left), self._story().contradictions()
        ):
            self._object_to(broken)
        for finding in await self._audited():
            self._object_to(f"the audit finds {finding.disagreement}: {finding.subject}: {finding.detail}")

    def _story(self) -> Story:
        return Story(self._watch.snapshot(), self._clients.told, self.asked_by, LIMITS.free_credits)

    async def _audited(self) -> list[Finding]:
        audit = AuditUseCase(
            store=self._watch.store,
            blobs=self._watch.blobs,
            clock=virtual_time.now,
            new_id=Ids(virtual_time.now, self._numbers),
            limits=self._limits,
        )
        return [finding async for finding in audit.findings()]
