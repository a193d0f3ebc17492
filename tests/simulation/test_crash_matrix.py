"""Crash matrix: a process crashes before or after each call to a port, and another process recovers.

Every point is tried on every store. The simulator combines faults at random; this matrix is exhaustive.
"""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryImageCodec, MemoryStore
from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.migrate import Migrations
from plushify_core import Generation, GenerationFailed, Limits, Status
from plushify_core.ports import Store
from tests import invariants
from tests.adapters.postgres import PostgresServer
from tests.gates import Fuse, GatedStore, PowerCut, gated
from tests.in_memory import Ids, PlushifyForTests
from tests.scripted import Answer, Script, ScriptedModel
from tests.virtual_time import EPOCH

pytestmark = pytest.mark.anyio

LONG_S = 130.0
"""Longer than every lease, deadline, undo window and late write."""


@dataclass(eq=False)
class Case:
    """One user of a store, the processes that work for the user, and a clock that the test sets.

    Args:
        store: shared store.
        user: id of the user, who has no data yet.
        ids: source of new ids.

    Attributes:
        now: time on the clock.
        blobs: blob store.
        calls: number of model calls by generation.
    """

    store: Store
    user: str
    ids: Ids
    now: datetime = field(init=False, default=EPOCH)
    blobs: MemoryBlobStore = field(init=False, default_factory=MemoryBlobStore)
    calls: Counter[UUID] = field(init=False, default_factory=Counter)

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self.now += timedelta(seconds=seconds)

    def process(self, fuse: Fuse, answer: Answer = Answer.PICTURE) -> PlushifyForTests:
        """Return a new process with this fuse between it and its ports."""
        return PlushifyForTests(
            store=GatedStore(self.store, fuse, clock=self.clock),
            blobs=gated("blobs", self.blobs, fuse),
            codec=MemoryImageCodec(),
            model=gated("model", ScriptedModel(lambda: Script(answer=answer), self._count_call), fuse),
            events=gated("events", MemoryEvents(), fuse),
            clock=self.clock,
            new_id=self.ids,
            limits=Limits(),
        )

    async def violations(self) -> list[str]:
        """Return all promises that are broken now."""
        repeated = [f"{generation}: {calls} model calls" for generation, calls in self.calls.items() if calls > 1]
        return repeated + list(invariants.violations(await self.snapshot()))

    async def unsettled(self) -> list[str]:
        """Return everything that recovery has left unfinished."""
        return list(invariants.unsettled(await self.snapshot()))

    async def snapshot(self) -> invariants.Snapshot:
        """Return everything that is stored for the user."""
        return await invariants.read(self.store, self.blobs, [self.user])

    def _count_call(self, generation_id: UUID) -> None:
        self.calls[generation_id] += 1


async def run_until_crash(work: Awaitable[object]) -> None:
    """Run the work until it ends: with a picture, with a failed generation, or with a crash."""
    with suppress(PowerCut, GenerationFailed):
        await work


async def nothing(case: Case) -> None:
    """Set up nothing."""


async def a_picture(case: Case) -> None:
    """Make a picture."""
    await case.process(Fuse()).make(case.user)


async def a_deleted_picture(case: Case) -> None:
    """Make a picture, delete it, and let the undo window pass."""
    generation = await case.process(Fuse()).make(case.user)
    await case.process(Fuse()).gallery.delete(case.user, generation.id)
    case.advance(LONG_S)


async def one_of_each(case: Case) -> None:
    """Leave one generation to purge, one that crashed after its dispatch, and one that crashed after its submission."""
    await a_deleted_picture(case)
    await run_until_crash(case.process(Fuse(0, among="before model.generate")).make(case.user))
    case.advance(60)
    await case.process(Fuse()).submit(case.user)
    case.advance(31)
    assert sorted(row.status for row in (await case.snapshot()).generations.values()) == [
        Status.PENDING,
        Status.RUNNING,
        Status.SUCCEEDED,
    ]


async def make(case: Case, fuse: Fuse) -> None:
    """Run a generation from its submission to its picture."""
    await case.process(fuse).make(case.user, key="k")


async def make_refused(case: Case, fuse: Fuse) -> None:
    """Run a generation from its submission to its refund."""
    await case.process(fuse, Answer.REFUSED).make(case.user, key="k")


async def delete(case: Case, fuse: Fuse) -> None:
    """Delete the only generation."""
    (generation_id,) = (await case.snapshot()).generations
    await case.process(fuse).gallery.delete(case.user, generation_id)


async def grant(case: Case, fuse: Fuse) -> None:
    """A grant with a key."""
    granted = case.process(fuse).credits.add_credits(case.user, 5, reason="bought", idempotency_key="order-1")
    assert (await granted).amount == 5


async def refund(case: Case, fuse: Fuse) -> None:
    """An operator refunds a delivered picture."""
    (generation_id,) = (await case.snapshot()).generations
    refunded = case.process(fuse).credits.refund_generation(case.user, generation_id, reason="blurred", actor="eve")
    assert (await refunded).amount == 1


async def sweep(case: Case, fuse: Fuse) -> None:
    """Sweep, and run the reclaimed generations."""
    await case.process(fuse).sweep()


SetUp = Callable[[Case], Awaitable[None]]
Act = Callable[[Case, Fuse], Awaitable[None]]

MATRIX: list[tuple[SetUp, Act, int]] = [
    (nothing, make, 60),
    (nothing, make_refused, 50),
    (a_picture, delete, 9),
    (a_deleted_picture, sweep, 30),
    (one_of_each, sweep, 76),
    (nothing, grant, 15),
    (a_picture, refund, 13),
    (a_deleted_picture, refund, 13),
]
"""Each row: the set-up, the action in which a process crashes, and the least number of points where it can crash."""


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Store for one test."""
    if request.param == "memory":
        yield MemoryStore()
        return
    postgres: PostgresServer | None = None
    if request.param == "postgres":
        postgres = request.getfixturevalue("postgres")
    sql = SqlStore(postgres.new_database() if postgres else f"sqlite:///{tmp_path}/plushify.db")
    await Migrations(sql.engine).upgrade()
    yield sql
    await sql.aclose()


@pytest.mark.parametrize(("set_up", "act", "at_least"), MATRIX, ids=lambda part: getattr(part, "__name__", str(part)))
async def test_crash_matrix(store: Store, set_up: SetUp, act: Act, at_least: int) -> None:
    """Wherever a process crashes, no promise is broken, and another process settles everything."""
    numbers = itertools.count()
    violations: dict[str, list[str]] = {}
    for point in itertools.count():
        case = Case(store, f"user {point}", Ids(lambda: EPOCH, numbers))
        await set_up(case)
        fuse = Fuse(point)
        await run_until_crash(act(case, fuse))
        name = f"{point} {fuse.passages[point]}" if fuse.cut else "no crash"
        violations[name] = await case.violations()
        for _ in range(2):
            case.advance(LONG_S)
            await case.process(Fuse()).sweep()
        violations[name] += await case.violations() + await case.unsettled()
        if not fuse.cut:
            break

    assert {name: found for name, found in violations.items() if found} == {}
    assert len(violations) > at_least


async def test_retry_after_every_crash(store: Store) -> None:
    """A retry with the same key gives one generation for one price, wherever the first process crashed."""
    numbers = itertools.count()
    results: Counter[str] = Counter()
    for point in itertools.count():
        case = Case(store, f"user {point}", Ids(lambda: EPOCH, numbers))
        fuse = Fuse(point)
        await run_until_crash(make(case, fuse))
        case.advance(LONG_S)
        await case.process(Fuse()).sweep()

        await run_until_crash(case.process(Fuse()).make(case.user, key="k"))

        (generation,) = (await case.snapshot()).generations.values()
        assert await case.violations() == []
        assert sum(case.calls.values()) <= 1
        results[_result(generation)] += 1
        if not fuse.cut:
            break

    assert results.keys() == {"succeeded", "failed: interrupted"}


@pytest.mark.parametrize(("before", "act", "posted"), [(nothing, grant, [3, 5]), (a_picture, refund, [3, -1, 1])])
async def test_repeated_posting_after_every_crash(store: Store, before: SetUp, act: Act, posted: list[int]) -> None:
    """A grant with a key, and a refund by hand, are posted once if repeated, wherever the first call crashed."""
    numbers = itertools.count()
    for place in itertools.count():
        case = Case(store, f"user {place}", Ids(lambda: EPOCH, numbers))
        await before(case)
        fuse = Fuse(place)
        await run_until_crash(act(case, fuse))

        await act(case, Fuse())

        assert sorted(entry.amount for entry in (await case.snapshot()).entries) == sorted(posted)
        assert await case.violations() == []
        if not fuse.cut:
            break


def _result(generation: Generation) -> str:
    return generation.status + (f": {generation.failure.reason}" if generation.failure else "")
