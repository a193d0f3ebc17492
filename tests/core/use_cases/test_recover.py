"""Recovery: what a sweep settles, purges and tidies, and what it leaves unchanged."""

import asyncio

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, Generation, Limits, Outcome, Reason, Status, Swept
from tests.broken import BrokenBlobs, BrokenStore
from tests.in_memory import InMemoryPlushify, failure_reason
from tests.virtual_time import on_virtual_time

NOTHING = Swept()


async def abandoned_while_running(plushify: InMemoryPlushify) -> Generation:
    """Return a running generation that no process runs, because the commit of its dispatch seemed to fail."""
    submitted = await plushify.submit()
    assert isinstance(plushify.store, BrokenStore)
    plushify.store.lost_answers = 1
    with pytest.raises(ConnectionError):
        await plushify.generate.run(submitted.id)
    return await plushify.row(submitted.id)


@on_virtual_time
async def test_nothing_to_do() -> None:
    """A sweep changes nothing if nothing has expired."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    assert await plushify.recover.sweep() == NOTHING
    assert await plushify.row(generation.id) == generation


@on_virtual_time
async def test_pending_within_its_lease() -> None:
    """A pending generation is not reclaimed before its lease expires."""
    plushify = InMemoryPlushify()
    await plushify.submit()
    await asyncio.sleep(19)

    assert await plushify.recover.sweep() == NOTHING


@on_virtual_time
async def test_pending_after_its_lease() -> None:
    """A pending generation whose lease has expired is reclaimed once, and can be run."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    await asyncio.sleep(20)

    first, second = await plushify.recover.sweep(), await plushify.recover.sweep()

    assert (first, second) == (Swept(to_run=(generation.id,)), NOTHING)
    assert (await plushify.generate.run(generation.id)).status is Status.SUCCEEDED
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_settles_without_reclaiming() -> None:
    """A sweep that does not reclaim leaves a pending generation to others until its deadline, then refunds it."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    await asyncio.sleep(59)

    assert await plushify.recover.sweep(reclaim=False) == NOTHING
    assert await plushify.row(generation.id) == generation

    await asyncio.sleep(1)
    assert await plushify.recover.sweep(reclaim=False) == Swept(refunded=1)
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_reclaimed_and_never_run() -> None:
    """A reclaimed generation that is never run is refunded when its new lease expires, and its photo is removed."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    await asyncio.sleep(20)
    await plushify.recover.sweep()
    await asyncio.sleep(70)

    assert await plushify.recover.sweep() == Swept(refunded=1)

    failed = await plushify.row(generation.id)
    assert (failure_reason(failed), failed.original) == (Reason.INTERRUPTED, None)
    assert await plushify.amounts() == [3, -1, 1]
    await asyncio.sleep(120)
    assert await plushify.recover.sweep() == Swept(tidied=1)
    assert plushify.blobs.blobs == {}


@on_virtual_time
async def test_reclaimed_by_a_sweep_that_fails_later() -> None:
    """A sweep returns the reclaimed generations although a later part of it fails."""
    plushify = InMemoryPlushify(
        store=(store := BrokenStore()), blobs=(blobs := BrokenBlobs()), limits=Limits(undo_delete_s=0)
    )
    deleted = await plushify.make()
    await plushify.gallery.delete("ann", deleted.id)
    pending = await plushify.submit()
    await asyncio.sleep(20)

    blobs.delays_s["keys"] = 1
    sweep = asyncio.create_task(plushify.recover.sweep())
    await asyncio.sleep(0.5)
    store.refusals = 1

    assert await sweep == Swept(to_run=(pending.id,))
    assert await plushify.recover.sweep() == Swept(purged=1)


@on_virtual_time
async def test_running_within_its_lease() -> None:
    """A running generation is left unchanged before its lease expires."""
    plushify = InMemoryPlushify(store=BrokenStore())
    running = await abandoned_while_running(plushify)
    await asyncio.sleep(9.9)

    assert await plushify.recover.sweep() == NOTHING
    assert await plushify.row(running.id) == running


@on_virtual_time
async def test_running_after_its_lease() -> None:
    """A running generation whose lease has expired is refunded once, and never dispatched again."""
    plushify = InMemoryPlushify(store=BrokenStore())
    running = await abandoned_while_running(plushify)
    await asyncio.sleep(10)

    assert [await plushify.recover.sweep() for _ in range(3)] == [Swept(refunded=1), NOTHING, NOTHING]

    assert failure_reason(await plushify.row(running.id)) is Reason.INTERRUPTED
    call = await plushify.recorded_call(running.id)
    assert (call.outcome, call.billing) == (Outcome.INTERRUPTED, Billing.UNKNOWN)
    assert plushify.model.requests == []
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_orphaned_blobs_of_a_failure() -> None:
    """Pictures of a failed generation are removed after the time for late writes; its original is kept."""
    plushify = InMemoryPlushify(store=BrokenStore())
    running = await abandoned_while_running(plushify)
    await plushify.blobs.put(running.blob_prefix + "generated", b"half", media_type="image/png")
    await asyncio.sleep(90)
    assert await plushify.recover.sweep() == Swept(refunded=1)

    await asyncio.sleep(119)
    assert await plushify.recover.sweep() == NOTHING
    await plushify.blobs.put(running.blob_prefix + "thumbnail", b"late", media_type="image/jpeg")
    await asyncio.sleep(1)

    assert [await plushify.recover.sweep() for _ in range(2)] == [Swept(tidied=1), NOTHING]
    assert await plushify.pictures_of(running.id) == ["original"]
    assert (await plushify.row(running.id)).untidy_since is None


@on_virtual_time
async def test_orphaned_blobs_that_cannot_be_removed() -> None:
    """Orphaned blobs that cannot be removed now are removed by a later sweep."""
    plushify = InMemoryPlushify(store=BrokenStore(), blobs=(blobs := BrokenBlobs()))
    running = await abandoned_while_running(plushify)
    await blobs.put(running.blob_prefix + "generated", b"half", media_type="image/png")
    await asyncio.sleep(90)
    await plushify.recover.sweep()
    await asyncio.sleep(120)

    blobs.refused = {"delete generated"}
    assert await plushify.recover.sweep() == NOTHING
    blobs.refused = {"keys"}
    assert await plushify.recover.sweep() == NOTHING
    blobs.refused = set()
    assert await plushify.recover.sweep() == Swept(tidied=1)
    assert await plushify.pictures_of(running.id) == ["original"]


@on_virtual_time
async def test_refunds_while_the_blob_store_hangs() -> None:
    """A blob store that hangs delays purges, and does not delay refunds."""
    limits = Limits(undo_delete_s=0)
    plushify = InMemoryPlushify(store=BrokenStore(), blobs=(blobs := BrokenBlobs()), limits=limits)
    deleted = await plushify.make()
    await plushify.gallery.delete("ann", deleted.id)
    running = await abandoned_while_running(plushify)
    blobs.delays_s = dict.fromkeys(("keys", "delete original", "delete generated", "delete thumbnail"), 10_000)
    purging = asyncio.create_task(plushify.recover.sweep_blobs())
    await asyncio.sleep(90)

    assert await plushify.recover.sweep_leases() == Swept(refunded=1)
    assert (await plushify.row(running.id)).status is Status.FAILED
    assert not purging.done()
    assert (await purging).purged == 1


@on_virtual_time
async def test_deleted_failure() -> None:
    """A deleted failure is purged only after the time for late writes."""
    plushify = InMemoryPlushify(store=BrokenStore(), limits=Limits(undo_delete_s=0))
    running = await abandoned_while_running(plushify)
    await asyncio.sleep(90)
    await plushify.recover.sweep()
    await plushify.gallery.delete("ann", running.id)
    await asyncio.sleep(119)
    assert await plushify.recover.sweep() == NOTHING
    await plushify.blobs.put(running.blob_prefix + "generated", b"late", media_type="image/png")
    await asyncio.sleep(1)

    assert await plushify.recover.sweep() == Swept(purged=1)
    assert (await plushify.stored(running.id), plushify.blobs.blobs) == (None, {})


@on_virtual_time
async def test_concurrent_sweeps() -> None:
    """Ten concurrent sweeps settle each generation once."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=6, max_in_flight_per_user=6), store=BrokenStore())
    submitted = [(await plushify.submit()).id for _ in range(3)]
    running = [(await abandoned_while_running(plushify)).id for _ in range(3)]
    await asyncio.sleep(90)

    swept = await asyncio.gather(*(plushify.recover.sweep() for _ in range(10)))

    assert sum(result.refunded for result in swept) == 6
    assert await plushify.balance() == 6
    assert all([(await plushify.row(generation_id)).status is Status.FAILED for generation_id in submitted + running])


@on_virtual_time
async def test_batches() -> None:
    """A sweep handles one batch, and the next sweep handles the next one."""
    plushify = InMemoryPlushify(limits=Limits(sweep_batch=2, max_in_flight_per_user=5, free_credits=5))
    for _ in range(5):
        await plushify.submit()
    await asyncio.sleep(60)

    assert [(await plushify.recover.sweep()).refunded for _ in range(4)] == [2, 2, 1, 0]


@on_virtual_time
async def test_sweeps_during_a_settlement() -> None:
    """Sweeps during a settlement do not refund the success."""
    plushify = InMemoryPlushify(limits=Limits(lease_s=1), model=MemoryImageModel(delay_s=59.9))
    _, run = await plushify.start_run(wait_s=59)
    for _ in range(300):
        await asyncio.sleep(0.01)
        await plushify.recover.sweep()

    assert (await run).status is Status.SUCCEEDED
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_purge_that_the_blob_store_interrupts() -> None:
    """A purge that cannot delete a blob is continued by the next sweep."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)
    await asyncio.sleep(30)
    blobs.refused = {"delete thumbnail"}

    assert await plushify.recover.sweep() == NOTHING
    assert (await plushify.row(generation.id)).purging
    blobs.refused = set()
    assert await plushify.recover.sweep() == Swept(purged=1)
    assert await plushify.stored(generation.id) is None
    assert blobs.blobs == {}


@on_virtual_time
async def test_purge_after_a_crash() -> None:
    """A purge that ended after the blobs and before the row is continued by the next sweep."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()), store=(store := BrokenStore()))
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)
    await asyncio.sleep(30)
    blobs.delays_s = {"delete thumbnail": 1}
    sweep = asyncio.create_task(plushify.recover.sweep())
    await asyncio.sleep(0.5)
    store.refusals = 1

    assert await sweep == NOTHING
    assert (blobs.blobs, (await plushify.row(generation.id)).purging) == ({}, True)
    assert await plushify.recover.sweep() == Swept(purged=1)
    assert await plushify.stored(generation.id) is None


@on_virtual_time
async def test_no_undo_window() -> None:
    """Without an undo window, the next sweep purges a deleted generation."""
    plushify = InMemoryPlushify(limits=Limits(undo_delete_s=0))
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)

    assert await plushify.recover.sweep() == Swept(purged=1)


@on_virtual_time
async def test_purge_frees_the_idempotency_key() -> None:
    """The idempotency key of a purged generation can be used for a new one."""
    plushify = InMemoryPlushify(limits=Limits(undo_delete_s=0))
    generation = await plushify.make(key="k")
    await plushify.gallery.delete("ann", generation.id)
    await plushify.recover.sweep()

    assert (await plushify.make(key="k")).id != generation.id
    assert await plushify.amounts() == [3, -1, -1]
