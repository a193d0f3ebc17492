"""Replica: one process, and the faults in the calls to its ports."""

import asyncio
import random
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec

from plushify_adapters.memory import MemoryEvents, MemoryImageCodec
from plushify_core import Limits
from plushify_core.ports import BlobStore, ImageModel, Store
from tests import virtual_time
from tests.gates import GatedStore, PowerCut, gated, sleep_despite_cancellation
from tests.in_memory import Ids, PlushifyForTests
from tests.simulation.plan import NO_FAULTS, FaultRates, Operation

DRAIN_S = 20.0
LIMITS = Limits(
    free_credits=4,
    max_in_flight_per_user=3,
    max_in_flight=6,
    max_running=2,
    drain_s=DRAIN_S,
    sweep_batch=3,
    audit_batch=2,
)
EXPIRE_DAYS = 80 / 86400

WITHOUT_ERRORS = "events.", "model."
"""Ports that raise no simulated errors: by contract events never fail, and the script of the model has its failures."""

NETWORK = "blobs.", "model.", "events.", "begin"
"""Calls that wait for the network while no transaction is open. `begin` waits for a database connection."""

SLOW_S = 5.0, 25.0, 130.0
SLOW_TRANSACTION_S = 0.5, 3.0

LATE_WRITE_S = 90.0
"""Longest duration of a write that outlives its process. It is less than `late_write_s`."""


class Fault(Exception):
    """Error of the technology behind a port."""


class Journal(Protocol):
    """Record of what happens in a world.

    Attributes:
        steps: number of passages of gates so far.
        faults_ended: whether no more faults happen.
        operation_by_id: the operation that each new id was made for, if any.
    """

    steps: int
    faults_ended: bool
    operation_by_id: dict[UUID, Operation | None]

    def record(self, text: str) -> None:
        """Add a line to the trace."""
        ...

    def record_fault(self, kind: str, name: str, text: str, *, lasts_s: float = 0) -> None:
        """Count a fault and add it to the trace. A plan can mute the fault by its name."""
        ...


class Activity:
    """An operation, or another source of work, with everything that follows from it.

    Each activity has its own random generator. So if a plan leaves out other operations, this one meets the same
    faults, as far as possible.
    """

    def __init__(self, seed: int, name: str, operation: Operation | None = None) -> None:
        self.name = name
        self.operation = operation
        self.rng = random.Random(f"{seed} {name}")
        self.passages = 0


current_activity: ContextVar[Activity] = ContextVar("current_activity")
"""Activity that the running task belongs to."""

current_replica: ContextVar["Replica"] = ContextVar("current_replica")
"""Replica that made the latest call to a port in the running task."""


class Replica:
    """One process from its start to its end: the real use cases and runner, over ports that fail.

    It is the gate of all its ports.

    Args:
        name: name in the trace.
        journal: record of the world.
        skew_s: how far the clock of this process is ahead.
        limits: limits of the installation, except the sweep interval.
        rates: rates of faults.
        muted: names of faults that are suppressed.
        numbers: counter for ids, shared by all replicas.
        store: shared store.
        blobs: shared blob store.
        model: image model.
        sweep_interval_s: time between two sweeps of this process.
    """

    def __init__(
        self,
        name: str,
        *,
        journal: Journal,
        skew_s: float,
        limits: Limits,
        rates: FaultRates,
        muted: frozenset[str],
        numbers: Iterator[int],
        store: Store,
        blobs: BlobStore,
        model: ImageModel,
        sweep_interval_s: float,
    ) -> None:
        self.name = name
        self.dead = False
        self.frozen_until_s = 0.0
        self._journal = journal
        self._ids = Ids(self.clock, numbers)
        self._skew = timedelta(seconds=skew_s)
        self._rates = rates
        self._muted = muted
        self.plushify = PlushifyForTests(
            store=GatedStore(store, self),
            blobs=gated("blobs", blobs, self),
            model=gated("model", model, self),
            codec=MemoryImageCodec(),
            events=gated("events", MemoryEvents(), self),
            clock=self.clock,
            new_id=self._new_id,
            limits=msgspec.structs.replace(limits, sweep_interval_s=sweep_interval_s),
        )
        self.ended = asyncio.Event()
        self._stop = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    def clock(self) -> datetime:
        """Return the time on the clock of this process."""
        return virtual_time.now() + self._skew

    def _new_id(self) -> UUID:
        new_id = self._ids()
        self._journal.operation_by_id[new_id] = current_activity.get().operation
        return new_id

    @property
    def responsive(self) -> bool:
        """Whether the process is neither dead nor frozen."""
        return not self.dead and asyncio.get_running_loop().time() >= self.frozen_until_s

    def runs(self, generation_id: UUID) -> bool:
        """Return whether the process runs this generation, and so renews its lease."""
        return generation_id in self.plushify.generate._leases._fences

    def start(self) -> None:
        """Start the process."""
        self._serving = asyncio.create_task(self._serve())

    async def stop(self) -> None:
        """Shut down gracefully, and end the process."""
        self._stop.set()
        if self._serving is not None:
            await asyncio.wait({self._serving})
        self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self.dead = True
        self.ended.set()
        self._stop.set()  # ends the coroutines of the dead process, which would otherwise sweep forever

    async def _serve(self) -> None:
        async with self.plushify.running():
            await self._stop.wait()

    # ── gate ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def before(self, call: str) -> None:
        """Delay the call, or fail before it takes effect."""
        passage = self._step()
        already_sent = await self._delay(call, passage)
        if not already_sent:
            if passage.draws(passage.rates.error) and not call.startswith(WITHOUT_ERRORS):
                self._journal.record_fault("error", passage.name, f"{self.name}: {call} fails")
                raise Fault(call)
            self._crash_at_random("before", call, passage)
        current_replica.set(self)

    async def after(self, call: str) -> None:
        """Crash, or lose the answer, after the call took effect."""
        passage = self._step()
        self._crash_at_random("after", call, passage)
        if passage.draws(passage.rates.lost_answer) and call.startswith(("commit", "blobs.")):
            self._journal.record_fault("lost answer", passage.name, f"{self.name}: {call} succeeds, its answer is lost")
            raise Fault(call)

    def _step(self) -> "_Passage":
        self._journal.steps += 1
        activity = current_activity.get()
        activity.passages += 1
        name = f"{activity.name}/{activity.passages}"
        without_faults = self._journal.faults_ended or name in self._muted
        return _Passage(name, NO_FAULTS if without_faults else self._rates, activity.rng)

    async def _delay(self, call: str, passage: "_Passage") -> bool:
        """Wait as long as the call takes.

        Returns:
            Whether the storage has already received the call, so that it takes effect even if this process dies.
        """
        network = call.startswith(NETWORK)
        delay_s = passage.rng.random() * 0.02 if network else 0.0
        slow_s = passage.rng.choice(SLOW_S if network else SLOW_TRANSACTION_S)
        if call.startswith("blobs.put") and passage.draws(passage.rates.late_write):
            delay_s = min(slow_s, LATE_WRITE_S)
            self._journal.record_fault("late write", passage.name, f"{self.name}: {call} takes {delay_s:g} s")
            await sleep_despite_cancellation(delay_s)
            return True
        if passage.draws(passage.rates.slow):
            delay_s = slow_s
            text = f"{self.name}: {call} takes {delay_s:g} s"
            self._journal.record_fault("slow", passage.name, text, lasts_s=delay_s)
        if delay_s:
            await asyncio.sleep(delay_s)
        await self._wait_while_frozen()
        return False

    async def _wait_while_frozen(self) -> None:
        left_s = self.frozen_until_s - asyncio.get_running_loop().time()
        if left_s > 0 and not self.dead and await sleep_despite_cancellation(left_s):
            raise asyncio.CancelledError  # a frozen process receives its cancellation when it continues

    def _crash_at_random(self, when: str, call: str, passage: "_Passage") -> None:
        if passage.draws(passage.rates.crash) and not self.dead:
            self._journal.record_fault(f"crash {when}", passage.name, f"{self.name} crashes {when} {call}")
            self.kill()
        if self.dead:
            raise PowerCut


class _Passage(NamedTuple):
    name: str
    rates: FaultRates
    rng: random.Random

    def draws(self, rate: float) -> bool:
        """Return at random, with probability `rate`, whether a fault happens."""
        return self.rng.random() < rate
