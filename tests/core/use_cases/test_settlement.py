"""Settlement: failed commits, late results, and races with the sweep."""

import asyncio
from uuid import UUID

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, Generation, Limits, ModelError, NotFound, Outcome, Reason, Status
from tests.broken import BrokenStore, StubbornModel
from tests.in_memory import PICTURES, InMemoryPlushify, failure_reason
from tests.virtual_time import on_virtual_time

NO_PICTURE = ModelError(Reason.NO_PICTURE, "nothing", retryable=True, billing=Billing.UNKNOWN)
ALL_TRIES = 5
"""Number of times that a settlement tries to commit. The last try is 7.6 seconds after the first."""


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
    return generation_id


async def settle_after_the_sweep(
    plushify: InMemoryPlushify, store: BrokenStore
) -> tuple[UUID, asyncio.Task[Generation]]:
    """Let a sweep refund a generation while its success is waiting for the last try to commit.

    The lease must expire one second after the deadline, and the model must answer two seconds before it.
    """
    generation_id, run = await plushify.start_run(wait_s=57)
    store.refusals = ALL_TRIES - 1  # the last try is at 58 + 7.6 seconds
    await asyncio.sleep(7)
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

    assert (await plushify.row(generation_id)).status is Status.RUNNING
    await asyncio.sleep(90)
    await plushify.sweep()
    assert failure_reason(await plushify.row(generation_id)) is Reason.INTERRUPTED
    await asyncio.sleep(120)
    await plushify.sweep()
    assert await plushify.pictures_of(generation_id) == ["original"]
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_late_cost_is_recorded_before_the_sweep() -> None:
    """A cost that arrives while no commit of the timeout succeeds is recorded, and the sweep keeps it."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=80))
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
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=100))
    generation_id = await run_without_database(plushify, store)
    await asyncio.sleep(30)
    await plushify.sweep()

    await plushify.generate.wait_for_cleanup()

    assert failure_reason(await plushify.row(generation_id)) is Reason.INTERRUPTED
    assert await plushify.pictures_of(generation_id) == ["original"]
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_late_cost_that_cannot_be_recorded() -> None:
    """If a late cost cannot be committed, the failure of the generation remains and nothing is raised."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()), model=StubbornModel(delay_s=90))
    generation = await plushify.submit_and_run()
    store.refusals = 1

    await plushify.generate.wait_for_cleanup()

    assert (await plushify.recorded_call(generation.id)).billing is Billing.UNKNOWN


@on_virtual_time
async def test_success_after_a_refund() -> None:
    """A success that is committed after the sweep has refunded the generation changes only the recorded cost."""
    plushify = InMemoryPlushify(
        limits=Limits(lease_margin_s=1), store=(store := BrokenStore()), model=MemoryImageModel(delay_s=58)
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
    limits = Limits(lease_margin_s=1, late_write_s=1, undo_delete_s=0)
    plushify = InMemoryPlushify(limits=limits, store=(store := BrokenStore()), model=MemoryImageModel(delay_s=58))
    generation_id, run = await settle_after_the_sweep(plushify, store)
    await plushify.gallery.delete("ann", generation_id)
    await asyncio.sleep(1)
    await plushify.sweep()

    with pytest.raises(NotFound):
        await run

    await plushify.generate.wait_for_cleanup()
    assert plushify.blobs.blobs == {}
    assert await plushify.amounts() == [3, -1, 1]
