"""World: runs a plan from its first operation until everything has settled."""

import asyncio
import contextvars
import itertools
import logging
from collections import Counter
from collections.abc import Coroutine, Iterator
from typing import Any
from uuid import UUID

import msgspec

from plushify_core import AuditUseCase, Finding
from tests import invariants, virtual_time
from tests.in_memory import Ids
from tests.invariants import short
from tests.scripted import Answer, Script, ScriptedModel
from tests.simulation.clients import Clients
from tests.simulation.monitor import Monitor
from tests.simulation.plan import NO_FAULTS, Kind, Operation, Plan
from tests.simulation.reconciliation import Reconciliation
from tests.simulation.replica import EXPIRE_DAYS, LIMITS, Activity, Replica, current_activity

FAULTS_CONTINUE_S = 300.0
"""How long faults continue after the last operation begins.

It is more than twice `late_write_s`. Otherwise the sweeps that remove orphaned blobs, which begin `late_write_s` after
a failure, would meet hardly any fault.
"""

SETTLE_S = 500.0
"""Time without faults after which all leases, deadlines, undo windows and late writes are over and have been swept."""

NORMAL_ANSWER_S = 3.0
SLOW_ANSWERS_S = 30.0, 59.9, 60.5, 70.0, 100.0, 1e5


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a world.

    Args:
        violation: the first promise that was broken, if any.
        trace: what happened, line by line.
        statements: statements of all users, line by line.
        steps: number of passages of gates.
        faults: number of faults by kind.
        fault_names: names by which the faults can be muted.
    """

    violation: str | None
    trace: tuple[str, ...]
    statements: tuple[str, ...]
    steps: int
    faults: Counter[str]
    fault_names: tuple[str, ...]


def simulate(plan: Plan) -> Report:
    """Run the world of this plan."""
    logging.disable(logging.CRITICAL)  # the faults would fill the log with expected errors
    try:
        with asyncio.Runner(loop_factory=virtual_time.VirtualTimeLoop) as runner:
            # Dead processes leave tasks whose errors nobody awaits.
            runner.get_loop().set_exception_handler(lambda loop, context: None)
            return runner.run(_run(plan))
    finally:
        logging.disable(logging.NOTSET)


async def _run(plan: Plan) -> Report:
    return await World(plan).run()  # constructed here, because its futures need the running loop


class World:
    """Replicas, clients and the data that they share.

    Args:
        plan: everything that determines the world.
    """

    def __init__(self, plan: Plan) -> None:
        self.steps = 0
        self.faults_ended = False
        self.operation_by_id: dict[UUID, Operation | None] = {}
        self._plan = plan
        # A world is too short for whole days, which the type of the limit demands.
        days: Any = EXPIRE_DAYS if plan.credits_expire else None
        self._limits = msgspec.structs.replace(LIMITS, credits_expire_days=days)
        self._trace: list[str] = []
        self._faults: Counter[str] = Counter()
        self._fault_names: list[str] = []
        self._violation: asyncio.Future[str] = asyncio.Future()
        self._end_of_faults: asyncio.Future[None] = asyncio.Future()
        self._monitor = Monitor(record=self.record, report_violation=self._report_violation)
        self._numbers = itertools.count()
        self._calls: Counter[UUID] = Counter()
        self._tasks: list[asyncio.Task[None]] = []
        self._replicas = [self._replica(number, "not started") for number in range(len(plan.skews_s))]
        self._clients = Clients(
            seed=plan.seed,
            monitor=self._monitor,
            replica=lambda number: self._replicas[number % len(self._replicas)],
            record=self.record,
            operation_by_id=self.operation_by_id,
        )

    async def run(self) -> Report:
        """Run until a promise is broken, or until everything has settled and is checked."""
        history = self._start("world", self._history())
        ends: set[asyncio.Future[Any]] = {history, self._violation}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if history.done():
            history.result()  # raises an error of the simulator itself
        return Report(
            violation=self._violation.result() if self._violation.done() else None,
            trace=tuple(self._trace),
            statements=tuple(self._statements()),
            steps=self.steps,
            faults=self._faults,
            fault_names=tuple(self._fault_names),
        )

    def _statements(self) -> Iterator[str]:
        for user, balance in self._monitor.snapshot().balances.items():
            yield f"statement of {user}, balance {balance} credits:"
            yield from (f"  {line}" for line in self._reconciliation().statement(user))

    def record(self, text: str) -> None:
        """Add a line to the trace."""
        self._trace.append(f"{asyncio.get_running_loop().time():9.3f} s  {text}")

    def record_fault(self, kind: str, name: str, text: str, *, lasts_s: float = 0) -> None:
        """Count a fault and add it to the trace. A plan can mute the fault by its name."""
        self._extend_faults(lasts_s)
        self._faults[kind] += 1
        self._fault_names.append(name)
        self.record(f"! {text}")

    def _extend_faults(self, lasts_s: float) -> None:
        ends_s = asyncio.get_running_loop().time() + lasts_s
        self._monitor.faults_end_s = max(self._monitor.faults_end_s, ends_s)

    def _report_violation(self, violation: str) -> None:
        if not self._violation.done():
            self.record(f"VIOLATION: {violation}")
            self._violation.set_result(violation)

    # ── replicas ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _supervise(self, number: int) -> None:
        """Start a replica, and start it again some time after each of its ends."""
        rng = current_activity.get().rng
        for life in itertools.count(1):
            replica = self._replica(number, f"{chr(ord('A') + number)}{life}")
            self._replicas[number] = replica
            self.record(f"{replica.name} starts")
            current_activity.set(Activity(self._plan.seed, replica.name))
            replica.start()
            await replica.ended.wait()
            await asyncio.wait({self._end_of_faults}, timeout=rng.choice([1, 20, 45, 100]))

    def _replica(self, number: int, name: str) -> Replica:
        return Replica(
            name,
            journal=self,
            skew_s=self._plan.skews_s[number],
            limits=self._limits,
            rates=self._plan.rates,
            muted=self._plan.muted,
            numbers=self._numbers,
            store=self._monitor.store,
            blobs=self._monitor.blobs,
            model=ScriptedModel(self._script, self._on_model_call),
            sweep_interval_s=30.0 + 7 * number,
        )

    def _script(self) -> Script:
        rng, rates = current_activity.get().rng, NO_FAULTS if self.faults_ended else self._plan.rates
        answer = rng.choice(list(Answer)) if rng.random() < rates.model_failure else Answer.PICTURE
        delay_s = rng.choice(SLOW_ANSWERS_S) if rng.random() < rates.slow_model else NORMAL_ANSWER_S
        stubborn = rng.random() < rates.stubborn_model
        if (answer, delay_s) != (Answer.PICTURE, NORMAL_ANSWER_S):
            speed = "late" if delay_s > LIMITS.timeout_s else "slow" if delay_s > NORMAL_ANSWER_S else "in time"
            self._faults[f"model: {answer}, {speed}"] += 1
            self.record(f"  the model will answer {answer} in {delay_s:g} s{', even if cancelled' * stubborn}")
        return Script(answer=answer, delay_s=delay_s, stubborn=stubborn)

    def _on_model_call(self, generation_id: UUID) -> None:
        self._calls[generation_id] += 1
        self.record(f"  the model is called for generation {short(generation_id)}")
        if self._calls[generation_id] > 1:
            self._report_violation(f"the model is called again for generation {short(generation_id)}")
        if generation_id not in self._monitor.snapshot().calls:
            self._report_violation(f"the model is called before the dispatch of {short(generation_id)} is committed")

    # ── course of the world ──────────────────────────────────────────────────────────────────────────────────

    async def _history(self) -> None:
        for number in range(len(self._replicas)):
            self._tasks.append(self._start(f"supervisor {number}", self._supervise(number)))
        loop = asyncio.get_running_loop()
        started = []
        for operation in self._plan.operations:
            await asyncio.sleep(operation.at_s - loop.time())
            started.append(self._start(f"{operation.number}", self._perform(operation)))
        await asyncio.sleep(FAULTS_CONTINUE_S)
        self.faults_ended = True
        self._end_of_faults.set_result(None)
        self.record("no more faults from now on")
        await asyncio.sleep(SETTLE_S)
        for operation, task in zip(self._plan.operations, started, strict=True):
            if not task.done():
                self._report_violation(f"operation {operation.number} ({operation.kind}) has not ended")
            elif task.exception() is not None:
                raise AssertionError("the simulator itself failed") from task.exception()
        await self._check_settled()

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task for an activity of this name."""
        context = contextvars.copy_context()
        context.run(current_activity.set, Activity(self._plan.seed, name))
        return asyncio.get_running_loop().create_task(work, context=context)

    async def _perform(self, operation: Operation) -> None:
        replica = self._replicas[operation.replica]
        match operation.kind:
            case Kind.KILL:
                self.record(f"{replica.name} is killed")
                self._faults["kill"] += 1
                replica.kill()
            case Kind.FREEZE:
                self.record(f"{replica.name} freezes for {operation.freeze_s:g} s")
                self._faults["freeze"] += 1
                self._extend_faults(operation.freeze_s)
                replica.frozen_until_s = asyncio.get_running_loop().time() + operation.freeze_s
            case Kind.REDEPLOY:
                self.record(f"{replica.name} shuts down")
                self._faults["redeploy"] += 1
                await replica.stop()
            case _:
                await self._clients.perform(operation)

    # ── checks at the end ────────────────────────────────────────────────────────────────────────────────────

    async def _check_settled(self) -> None:
        for replica in self._replicas:
            for generation_id in replica.plushify.runner._tasks:
                self._report_violation(f"{replica.name} still runs generation {short(generation_id)}")
        for user, subscription in self._monitor.store._tables.subscriptions.items():
            if subscription.next_expiry_at is not None and subscription.next_expiry_at < virtual_time.now():
                self._report_violation(f"expired credits of {user} were not removed")
        snapshot = self._monitor.snapshot()
        for violation in itertools.chain(
            invariants.violations(snapshot), invariants.unsettled(snapshot), self._reconciliation().contradictions()
        ):
            self._report_violation(violation)
        for finding in await self._audit():
            self._report_violation(f"audit: {finding.disagreement}: {finding.subject}: {finding.detail}")

    def _reconciliation(self) -> Reconciliation:
        return Reconciliation(
            snapshot=self._monitor.snapshot(),
            responses=self._clients.responses,
            operation_by_id=self.operation_by_id,
            free_credits=LIMITS.free_credits,
        )

    async def _audit(self) -> list[Finding]:
        audit = AuditUseCase(
            store=self._monitor.store,
            blobs=self._monitor.blobs,
            clock=virtual_time.now,
            new_id=Ids(virtual_time.now, self._numbers),
            limits=self._limits,
        )
        return [finding async for finding in audit.findings()]
