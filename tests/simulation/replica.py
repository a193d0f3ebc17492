"""A process, and the faults in the wires to its ports."""

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
from tests.gates import GatedStore, PowerCut, gated
from tests.in_memory import Ids, PlushifyForTests
from tests.simulation.plan import CALM, Operation, Weather

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

RELIABLE = "events.", "model."
"""Ports that never fail, by contract, or whose failures the script of the model holds."""

NETWORK = "blobs.", "model.", "events.", "begin"
"""Calls that wait for others without holding anything: `begin` waits for a connection."""

SLOW_S = 5.0, 25.0, 130.0
SLOW_TRANSACTION_S = 0.5, 3.0

LATE_WRITE_S = 90.0
"""How long a write goes on at most, whatever becomes of its process: less than `late_write_s`, on every clock."""


class Fault(Exception):
    """What the technology behind a port raises: not now."""


class Journal(Protocol):
    """Where a world notes what happens. Every passage of a wire is a step."""

    steps: int
    calm: bool
    asked_by: dict[UUID, Operation | None]

    def note(self, text: str) -> None:
        """Something happened."""
        ...

    def fault(self, kind: str, name: str, text: str) -> None:
        """A fault happened; under its name it can be muted."""
        ...


class Scene:
    """One operation and all that follows from it, with dice of its own: without the other operations it goes the
    same way, as far as it can."""

    def __init__(self, seed: int, name: str, operation: Operation | None = None) -> None:
        self.name = name
        self.operation = operation
        self.dice = random.Random(f"{seed} {name}")
        self.passages = 0


current: ContextVar[Scene] = ContextVar("current")
"""The scene that the running task belongs to."""

acting: ContextVar["Replica"] = ContextVar("acting")
"""The process that the running task belongs to, since its last passage of a wire."""


class Replica:
    """One life of one process: the real use cases and the real runner, behind wires that fail."""

    def __init__(
        self,
        name: str,
        *,
        journal: Journal,
        skew_s: float,
        limits: Limits,
        weather: Weather,
        muted: frozenset[str],
        numbers: Iterator[int],
        store: Store,
        blobs: BlobStore,
        model: ImageModel,
        sweep_interval_s: float,
    ) -> None:
        self.name = name
        self.dead = False
        self.thaws_at_s = 0.0
        self._journal = journal
        self._ids = Ids(self.clock, numbers)
        self._skew = timedelta(seconds=skew_s)
        self._weather = weather
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
        """What this process takes for the time."""
        return virtual_time.now() + self._skew

    def _new_id(self) -> UUID:
        made = self._ids()
        self._journal.asked_by[made] = current.get().operation
        return made

    @property
    def awake(self) -> bool:
        """Whether it works on, as far as it can."""
        return not self.dead and asyncio.get_running_loop().time() >= self.thaws_at_s

    def start(self) -> None:
        """Serve."""
        self._serving = asyncio.ensure_future(self._serve())

    async def stop(self) -> None:
        """End in order: no new work, and what runs is brought to an end."""
        self._stop.set()
        if self._serving is not None:
            await asyncio.wait({self._serving})
        self.kill()

    def kill(self) -> None:
        """End at once."""
        self.dead = True
        self.ended.set()
        self._stop.set()  # so that what still unwinds does not sweep for ever

    async def _serve(self) -> None:
        async with self.plushify.running():
            await self._stop.wait()

    # ── the gate ─────────────────────────────────────────────────────────────────────────────────────────────

    async def before(self, call: str) -> None:
        """A call is about to take effect: later, or never."""
        passage = self._step()
        on_its_way = await self._delay(call, passage)
        if not on_its_way:
            if passage.meets(passage.weather.error_rate) and not call.startswith(RELIABLE):
                self._journal.fault("error", passage.name, f"{self.name} cannot {call}")
                raise Fault(call)
            self._cut("before", call, passage)
        acting.set(self)

    async def after(self, call: str) -> None:
        """It has taken effect; whether anybody learns of it is another matter."""
        passage = self._step()
        self._cut("after", call, passage)
        if passage.meets(passage.weather.lost_answer_rate) and call.startswith(("commit", "blobs.")):
            self._journal.fault("lost answer", passage.name, f"{self.name} does not learn that it did {call}")
            raise Fault(call)

    def _step(self) -> "_Passage":
        self._journal.steps += 1
        scene = current.get()
        scene.passages += 1
        name = f"{scene.name}/{scene.passages}"
        calm = self._journal.calm or name in self._muted
        return _Passage(name, CALM if calm else self._weather, scene.dice)

    async def _delay(self, call: str, passage: "_Passage") -> bool:
        """Whether the call takes effect whatever becomes of this process: the storage has it already."""
        network = call.startswith(NETWORK)
        delay_s = passage.dice.random() * 0.02 if network else 0.0
        slow_s = passage.dice.choice(SLOW_S if network else SLOW_TRANSACTION_S)
        if call.startswith("blobs.put") and passage.meets(passage.weather.late_write_rate):
            delay_s = min(slow_s, LATE_WRITE_S)
            self._journal.fault("late write", passage.name, f"{call} of {self.name} takes {delay_s:g} s")
            await _sleep_on(delay_s)
            return True
        if passage.meets(passage.weather.slow_rate):
            delay_s = slow_s
            self._journal.fault("slow", passage.name, f"{call} of {self.name} takes {delay_s:g} s")
        if delay_s:
            await asyncio.sleep(delay_s)
        await self._thaw()
        return False

    async def _thaw(self) -> None:
        left_s = self.thaws_at_s - asyncio.get_running_loop().time()
        if left_s > 0 and not self.dead and await _sleep_on(left_s):
            raise asyncio.CancelledError  # the frozen learn late that they were cancelled

    def _cut(self, when: str, call: str, passage: "_Passage") -> None:
        if passage.meets(passage.weather.cut_rate) and not self.dead:
            self._journal.fault(f"power cut {when}", passage.name, f"{self.name} dies {when} {call}")
            self.kill()
        if self.dead:
            raise PowerCut


class _Passage(NamedTuple):
    name: str
    weather: Weather
    dice: random.Random

    def meets(self, rate: float) -> bool:
        """Whether a fault of this rate happens here."""
        return self.dice.random() < rate


async def _sleep_on(seconds: float) -> bool:
    """Sleep, and wake up no earlier for being cancelled; tell whether that was."""
    loop = asyncio.get_running_loop()
    ends_s, cancelled = loop.time() + seconds, False
    while (left_s := ends_s - loop.time()) > 0:
        try:
            await asyncio.sleep(left_s)
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
