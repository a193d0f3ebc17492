"""A process dies before and after each call to each of its ports; another one puts right what it left.

Every place to die is tried, on every store. The simulator mixes what happens; this leaves nothing out.
"""

import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
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


class Case:
    """One user on one desk, at one time that the test sets, and the processes that work for them."""

    def __init__(self, store: Store, user: str, ids: Ids) -> None:
        self.user = user
        self.now = EPOCH
        self.blobs = MemoryBlobStore()
        self.calls: Counter[UUID] = Counter()
        self._store = store
        self._ids = ids

    def clock(self) -> datetime:
        """The time."""
        return self.now

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def process(self, fuse: Fuse, answer: Answer = Answer.PICTURE) -> PlushifyForTests:
        """A process with this fuse in its wires."""
        return PlushifyForTests(
            store=GatedStore(self._store, fuse),
            blobs=gated("blobs", self.blobs, fuse),
            codec=MemoryImageCodec(),
            model=gated("model", ScriptedModel(lambda: Script(answer=answer), self._called), fuse),
            events=gated("events", MemoryEvents(), fuse),
            clock=self.clock,
            new_id=self._ids,
            limits=Limits(),
        )

    async def broken(self) -> list[str]:
        """Every promise that is broken now."""
        twice = [f"{generation} was drawn {calls} times" for generation, calls in self.calls.items() if calls > 1]
        return twice + list(invariants.violations(await self.snapshot()))

    async def unsettled(self) -> list[str]:
        """What another process has left undone."""
        return list(invariants.unsettled(await self.snapshot()))

    async def snapshot(self) -> invariants.Snapshot:
        """What is stored for this user."""
        return await invariants.read(self._store, self.blobs, [self.user])

    def _called(self, generation_id: UUID) -> None:
        self.calls[generation_id] += 1


async def die(work: Awaitable[object]) -> None:
    """Let it end as it may: in a picture, in none, or in the dark."""
    with suppress(PowerCut, GenerationFailed):
        await work


async def nothing(case: Case) -> None:
    """Nothing has happened before."""


async def a_picture(case: Case) -> None:
    """There is a picture."""
    await case.process(Fuse()).make(case.user)


async def a_deleted_picture(case: Case) -> None:
    """There was a picture, and it can no longer be restored."""
    generation = await case.process(Fuse()).make(case.user)
    await case.process(Fuse()).gallery.delete(case.user, generation.id)
    case.pass_by(LONG_S)


async def one_of_each(case: Case) -> None:
    """One is to be erased; one was dispatched and one submitted by processes that have died since."""
    await a_deleted_picture(case)
    await die(case.process(Fuse(0, among="before model.generate")).make(case.user))
    case.pass_by(60)
    await case.process(Fuse()).submit(case.user)
    case.pass_by(31)
    assert sorted(row.status for row in (await case.snapshot()).generations.values()) == [
        Status.PENDING,
        Status.RUNNING,
        Status.SUCCEEDED,
    ]


async def make(case: Case, fuse: Fuse) -> None:
    """A generation, from its submission to its picture."""
    await case.process(fuse).make(case.user, key="k")


async def make_in_vain(case: Case, fuse: Fuse) -> None:
    """A generation, from its submission to its refund."""
    await case.process(fuse, Answer.REFUSED).make(case.user, key="k")


async def delete(case: Case, fuse: Fuse) -> None:
    """A user deletes what there is."""
    (generation_id,) = (await case.snapshot()).generations
    await case.process(fuse).gallery.delete(case.user, generation_id)


async def grant(case: Case, fuse: Fuse) -> None:
    """A grant with a key."""
    granted = case.process(fuse).credits.add_credits(case.user, 5, reason="bought", idempotency_key="order-1")
    assert (await granted).amount == 5


async def refund(case: Case, fuse: Fuse) -> None:
    """An operator gives the price of a picture back."""
    (generation_id,) = (await case.snapshot()).generations
    refunded = case.process(fuse).credits.refund_generation(case.user, generation_id, reason="blurred", actor="eve")
    assert (await refunded).amount == 1


async def sweep(case: Case, fuse: Fuse) -> None:
    """A sweep, and the run of what it took over."""
    await case.process(fuse).sweep()


Before = Callable[[Case], Awaitable[None]]
Act = Callable[[Case, Fuse], Awaitable[None]]

MATRIX: list[tuple[Before, Act, int]] = [
    (nothing, make, 60),
    (nothing, make_in_vain, 50),
    (a_picture, delete, 9),
    (a_deleted_picture, sweep, 30),
    (one_of_each, sweep, 76),
    (nothing, grant, 15),
    (a_picture, refund, 13),
    (a_deleted_picture, refund, 13),
]
"""What has happened, what then happens, and how many places to die that has at least."""


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
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


@pytest.mark.parametrize(("before", "act", "at_least"), MATRIX, ids=lambda part: getattr(part, "__name__", str(part)))
async def test_crash_matrix(store: Store, before: Before, act: Act, at_least: int) -> None:
    """Wherever a process dies, no promise is broken, and another process brings everything to an end."""
    numbers = itertools.count()
    broken: dict[str, list[str]] = {}
    for place in itertools.count():
        case = Case(store, f"user {place}", Ids(lambda: EPOCH, numbers))
        await before(case)
        fuse = Fuse(place)
        await die(act(case, fuse))
        name = f"{place} {fuse.passages[place]}" if fuse.cut else "alive"
        broken[name] = await case.broken()
        for _ in range(2):
            case.pass_by(LONG_S)
            await case.process(Fuse()).sweep()
        broken[name] += await case.broken() + await case.unsettled()
        if not fuse.cut:
            break

    assert {name: promises for name, promises in broken.items() if promises} == {}
    assert len(broken) > at_least


async def test_retry_after_every_death(store: Store) -> None:
    """Whoever asks again with the same key gets one generation for one price, wherever the first process died."""
    numbers = itertools.count()
    ends: Counter[str] = Counter()
    for place in itertools.count():
        case = Case(store, f"user {place}", Ids(lambda: EPOCH, numbers))
        fuse = Fuse(place)
        await die(make(case, fuse))
        case.pass_by(LONG_S)
        await case.process(Fuse()).sweep()

        await die(case.process(Fuse()).make(case.user, key="k"))

        (generation,) = (await case.snapshot()).generations.values()
        assert await case.broken() == []
        assert sum(case.calls.values()) <= 1
        ends[_end(generation)] += 1
        if not fuse.cut:
            break

    assert ends.keys() == {"succeeded", "failed: interrupted"}


@pytest.mark.parametrize(("before", "act", "posted"), [(nothing, grant, [3, 5]), (a_picture, refund, [3, -1, 1])])
async def test_repeated_posting_after_every_death(store: Store, before: Before, act: Act, posted: list[int]) -> None:
    """A grant with a key, and a refund by hand, are posted once if they are repeated, wherever the first call died."""
    numbers = itertools.count()
    for place in itertools.count():
        case = Case(store, f"user {place}", Ids(lambda: EPOCH, numbers))
        await before(case)
        fuse = Fuse(place)
        await die(act(case, fuse))

        await act(case, Fuse())

        assert sorted(entry.amount for entry in (await case.snapshot()).entries) == sorted(posted)
        assert await case.broken() == []
        if not fuse.cut:
            break


def _end(generation: Generation) -> str:
    return generation.status + (f": {generation.failure.reason}" if generation.failure else "")
