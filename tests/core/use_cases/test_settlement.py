"""Settlement: failed commits, late results, and races with the sweep."""

import asyncio
from uuid import UUID

import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel
from plushify_core import Billing, Generation, Limits, ModelError, NotFound, Outcome, Reason, Status
from tests.broken import BrokenStore, StubbornModel
from tests.gates import Fuse, GatedStore, gated
from tests.in_memory import PICTURES, InMemoryPlushify, PlushifyForTests, failure_reason
from tests.virtual_time import on_virtual_time

NO_PICTURE = ModelError(Reason.NO_PICTURE, "nothing", retryable=True, billing=Billing.UNKNOWN)
ALL_TRIES = 1_000
"""More refusals than a settlement has tries to commit."""


class Settling:
    """Running generation whose model answers in half a second, on a store that can fail."""

    def __init__(self) -> None:
        self.store = BrokenStore()
        self.plushify = InMemoryPlushify(store=self.store, model=MemoryImageModel(delay_s=1))

    async def start(self) -> tuple[UUID, asyncio.Task[Generation]]:
        """Start the run. Return the id of the generation, and the task of its run."""
        return await self.plushify.start_run(wait_s=0.5)


async def run_without_database(plushify: InMemoryPlushify, store: BrokenStore) -> UUID:
    """Run a generation until its deadline, when every try to commit its timeout fails. Return its id."""
    generation_id, run = await plushify.start_run(wait_s=59)
    store.refusals = ALL_TRIES
    with pytest.raises(ConnectionError):
        await run
    store.refusals = 0
    return generation_id


async def settle_after_the_sweep(
    plushify: InMemoryPlushify, store: BrokenStore
) -> tuple[UUID, asyncio.Task[Generation]]:
    """Let a sweep refund a generation while its success waits for the next try to commit.

    The model must answer after 5 seconds, and the lease must last 1 second.
    """
    generation_id, run = await plushify.start_run(wait_s=4.9)
    store.refusals = ALL_TRIES
    await asyncio.sleep(7)
    store.refusals = 0
    await plushify.sweep()
    return generation_id, run


@pytest.mark.parametrize("attempts", [1, 4])
@on_virtual_time
async def test_retries_a_failed_commit(attempts: int) -> None:
    """A success whose first commits fail is committed later, with its pictures and its charge."""
    case = Settling()
    generation_id, run = await case.start()

    case.store.refusals = attempts

    assert (await run).status is Status.SUCCEEDED
    assert await case.plushify.pictures_of(generation_id) == sorted(PICTURES)
    assert await case.plushify.amounts() == [3, -1]


@on_virtual_time
async def test_success_whose_commit_seemed_to_fail() -> None:
    """A committed success keeps its pictures although the store reported an error."""
    case = Settling()
    generation_id, run = await case.start()

    case.store.lost_answers = 3

    assert (await run).status is Status.SUCCEEDED
    await case.plushify.generate.wait_for_cleanup()
    assert await case.plushify.pictures_of(generation_id) == sorted(PICTURES)
    assert await case.plushify.amounts() == [3, -1]


@on_virtual_time
async def test_refund_whose_commit_seemed_to_fail() -> None:
    """A committed refund is not posted again although the store reported an error."""
    case = Settling()
    case.plushify.model.fail_next(NO_PICTURE)
    _, run = await case.start()

    case.store.lost_answers = 3

    assert failure_reason(await run) is Reason.NO_PICTURE
    assert await case.plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_commit_that_always_fails() -> None:
    """If every try to commit fails, the sweeps refund the generation and later remove its picture."""
    case = Settling()
    plushify = case.plushify
    generation_id, run = await case.start()
    case.store.refusals = ALL_TRIES

    with pytest.raises(ConnectionError):
        await run

    assert asyncio.get_running_loop().time() == pytest.approx(61, abs=3)
    case.store.refusals = 0
    assert (await plushify.row(generation_id)).status is Status.RUNNING
    await plushify.sweep()
    assert failure_reason(await plushify.row(generation_id)) is Reason.INTERRUPTED
    await asyncio.sleep(120)
    await plushify.sweep()
    assert await plushify.pictures_of(generation_id) == ["original"]
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_late_cost_is_recorded_before_the_sweep() -> None:
    """A cost that arrives while no commit of the timeout succeeds is recorded, and the sweep keeps it."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=130))
    generation_id = await run_without_database(plushify, store)
    await plushify.generate.wait_for_cleanup()

    before = await plushify.recorded_call(generation_id)
    await asyncio.sleep(30)
    await plushify.sweep()

    assert (before.outcome, before.billing) == (Outcome.CALLING, Billing.BILLED)
    call = await plushify.recorded_call(generation_id)
    assert (call.outcome, call.billing, call.facts) == (Outcome.INTERRUPTED, Billing.BILLED, before.facts)


@on_virtual_time
async def test_late_picture_is_removed_after_the_sweep() -> None:
    """A picture that arrives after the sweep is removed, although no commit of the timeout succeeded."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=170))
    generation_id = await run_without_database(plushify, store)
    await asyncio.sleep(30)
    await plushify.sweep()

    await plushify.generate.wait_for_cleanup()

    assert failure_reason(await plushify.row(generation_id)) is Reason.INTERRUPTED
    assert await plushify.pictures_of(generation_id) == ["original"]
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_late_cost_is_recorded_when_the_database_returns() -> None:
    """A late cost whose commits fail is recorded as soon as a commit succeeds, however long that takes."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=90))
    generation = await plushify.submit_and_run()
    store.refusals = 100

    await plushify.generate.wait_for_cleanup()

    assert (await plushify.recorded_call(generation.id)).billing is Billing.BILLED


@on_virtual_time
async def test_settles_when_the_database_returns() -> None:
    """A paid picture is delivered if the database returns within `settle_timeout_s`, although replicas sweep."""
    case = Settling()
    other = case.plushify.another_process()
    async with other.running():
        generation_id, run = await case.start()
        case.store.refusals = ALL_TRIES
        await asyncio.sleep(55)
        case.store.refusals = 0
        generation = await run
        await asyncio.sleep(60)
        other.runner.stop()

    assert (await case.plushify.row(generation_id)).status is generation.status is Status.SUCCEEDED
    assert await case.plushify.amounts() == [3, -1]


@on_virtual_time
async def test_cost_of_a_result_that_was_given_up() -> None:
    """The known cost of a call is recorded after its settlement was given up, before or after the sweep."""
    case = Settling()
    generation_id, run = await case.start()
    case.store.refusals = ALL_TRIES
    with pytest.raises(ConnectionError):
        await run
    await asyncio.sleep(3_600)
    case.store.refusals = 0
    await case.plushify.sweep()

    await case.plushify.generate.wait_for_cleanup()

    call = await case.plushify.recorded_call(generation_id)
    assert (call.outcome, call.billing) == (Outcome.INTERRUPTED, Billing.BILLED)
    assert call.facts.cost_nano_usd is not None


@on_virtual_time
async def test_cost_that_is_not_recorded_at_a_shutdown(caplog: pytest.LogCaptureFixture) -> None:
    """A shutdown during a failure of the database ends in time, and logs the costs that are not recorded."""
    case = Settling()
    plushify = case.plushify
    async with plushify.running():
        generation = await plushify.submit()
        plushify.runner.start(generation.id)
        await asyncio.sleep(0.5)
        case.store.refusals = ALL_TRIES * 100
        await asyncio.sleep(1)
        stopped_s = asyncio.get_running_loop().time()

    assert asyncio.get_running_loop().time() - stopped_s <= plushify.limits.drain_s + 10.1
    (message,) = [record.getMessage() for record in caplog.records if "cost of its call" in record.getMessage()]
    assert str(generation.id) in message
    assert "cost_nano_usd=39000000" in message


@on_virtual_time
async def test_frozen_process_loses_its_lease() -> None:
    """A process that was frozen for longer than its lease changes nothing, and removes its pictures."""
    store, blobs, fuse = BrokenStore(), MemoryBlobStore(), Fuse(0, 30, among="after blobs.put thumbnail")
    healthy = InMemoryPlushify(store=store, blobs=blobs)
    frozen = PlushifyForTests(
        store=GatedStore(store, fuse),
        blobs=gated("blobs", blobs, fuse),
        codec=healthy.codec,
        model=healthy.model,
        events=healthy.events,
        clock=healthy.clock,
        new_id=healthy.new_id,
    )
    generation_id, run = await frozen.start_run(wait_s=11)
    await healthy.sweep()
    assert failure_reason(await healthy.row(generation_id)) is Reason.INTERRUPTED
    assert await healthy.pictures_of(generation_id) == sorted(PICTURES)

    assert failure_reason(await run) is Reason.INTERRUPTED
    await frozen.generate.wait_for_cleanup()

    assert await healthy.pictures_of(generation_id) == ["original"]
    assert await healthy.amounts() == [3, -1, 1]
    assert (await healthy.recorded_call(generation_id)).billing is Billing.BILLED


@on_virtual_time
async def test_success_after_a_refund() -> None:
    """A success that is committed after the sweep has refunded the generation changes only the recorded cost."""
    plushify = InMemoryPlushify(
        limits=Limits(lease_s=1), store=(store := BrokenStore()), model=MemoryImageModel(delay_s=5)
    )
    generation_id, run = await settle_after_the_sweep(plushify, store)

    generation = await run
    await plushify.generate.wait_for_cleanup()

    assert failure_reason(generation) is Reason.INTERRUPTED
    assert await plushify.amounts() == [3, -1, 1]
    assert await plushify.pictures_of(generation_id) == ["original"]
    call = await plushify.recorded_call(generation_id)
    assert (call.outcome, call.billing, call.facts.cost_nano_usd) == (Outcome.INTERRUPTED, Billing.BILLED, 39_000_000)


@on_virtual_time
async def test_success_after_a_purge() -> None:
    """A success that is committed after its generation was refunded, deleted and purged leaves no blob."""
    limits = Limits(lease_s=1, late_write_s=0.001, undo_delete_s=0)
    plushify = InMemoryPlushify(limits=limits, store=(store := BrokenStore()), model=MemoryImageModel(delay_s=5))
    generation_id, run = await settle_after_the_sweep(plushify, store)
    await plushify.gallery.delete("ann", generation_id)
    await asyncio.sleep(0.01)
    await plushify.sweep()

    with pytest.raises(NotFound):
        await run

    await plushify.generate.wait_for_cleanup()
    assert plushify.blobs.blobs == {}
    assert await plushify.amounts() == [3, -1, 1]
