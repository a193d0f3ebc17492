"""What a sweep puts right, and what it leaves alone."""

import asyncio

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, Generation, Limits, Outcome, Reason, Status, Swept
from tests.broken import BrokenBlobs, BrokenStore
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import on_virtual_time

NOTHING = Swept()


async def abandoned_while_running(plushify: InMemoryPlushify) -> Generation:
    """A running generation that no process works on: its dispatch stands, and the process thinks it does not."""
    submitted = await plushify.submit()
    assert isinstance(plushify.store, BrokenStore)
    plushify.store.lost_answers = 1
    with pytest.raises(ConnectionError):
        await plushify.generate.run(submitted.id)
    return await plushify.row(submitted.id)


@on_virtual_time
async def test_nothing_to_do() -> None:
    """A sweep of a plushify in order changes nothing."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    assert await plushify.recover.sweep() == NOTHING
    assert await plushify.row(generation.id) == generation


@on_virtual_time
async def test_pending_within_its_lease() -> None:
    """What its process may still dispatch is left alone."""
    plushify = InMemoryPlushify()
    await plushify.submit()
    await asyncio.sleep(19)

    assert await plushify.recover.sweep() == NOTHING


@on_virtual_time
async def test_pending_past_its_lease() -> None:
    """What was never dispatched is taken over once, and brought to its end while there is time."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    await asyncio.sleep(20)

    first, second = await plushify.recover.sweep(), await plushify.recover.sweep()

    assert (first, second) == (Swept(to_run=(generation.id,)), NOTHING)
    assert (await plushify.generate.run(generation.id)).status is Status.SUCCEEDED
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_taken_over_by_a_process_that_died() -> None:
    """What was taken over and never run is refunded when its time is over; nothing of its photo is kept in the end."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    await asyncio.sleep(20)
    await plushify.recover.sweep()
    await asyncio.sleep(70)

    assert await plushify.recover.sweep() == Swept(refunded=1)

    failed = await plushify.row(generation.id)
    assert failed.failure is not None
    assert (failed.failure.reason, failed.original) == (Reason.INTERRUPTED, None)
    assert await plushify.amounts() == [3, -1, 1]
    await asyncio.sleep(120)
    assert await plushify.recover.sweep() == Swept(tidied=1)
    assert plushify.blobs.blobs == {}


@on_virtual_time
async def test_pending_taken_over_by_a_sweep_that_then_fails() -> None:
    """What a sweep has taken over is run, though it cannot do the rest of its work; the next one does that."""
    plushify = InMemoryPlushify(
        store=(store := BrokenStore()), blobs=(blobs := BrokenBlobs()), limits=Limits(undo_delete_s=0)
    )
    deleted = await plushify.make()
    await plushify.gallery.delete("ann", deleted.id)
    pending = await plushify.submit()
    await asyncio.sleep(20)

    blobs.delays_s["keys"] = 1
    sweep = asyncio.ensure_future(plushify.recover.sweep())
    await asyncio.sleep(0.5)
    store.refusals = 1

    assert await sweep == Swept(to_run=(pending.id,))
    assert await plushify.recover.sweep() == Swept(purged=1)


@on_virtual_time
async def test_running_within_its_lease() -> None:
    """A running generation belongs to its process until well after its deadline."""
    plushify = InMemoryPlushify(store=BrokenStore())
    running = await abandoned_while_running(plushify)
    await asyncio.sleep(89)

    assert await plushify.recover.sweep() == NOTHING
    assert await plushify.row(running.id) == running


@on_virtual_time
async def test_running_past_its_lease() -> None:
    """What may have been drawn and paid is refunded and never dispatched again."""
    plushify = InMemoryPlushify(store=BrokenStore())
    running = await abandoned_while_running(plushify)
    await asyncio.sleep(90)

    assert [await plushify.recover.sweep() for _ in range(3)] == [Swept(refunded=1), NOTHING, NOTHING]

    failed = await plushify.row(running.id)
    assert failed.failure is not None
    assert failed.failure.reason is Reason.INTERRUPTED
    call = await plushify.call(running.id)
    assert call is not None
    assert (call.outcome, call.billing) == (Outcome.INTERRUPTED, Billing.UNKNOWN)
    assert plushify.model.requests == []
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_pictures_of_an_abandoned_drawing() -> None:
    """What a dead process had stored of its picture is removed; the photo stays with its row."""
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
async def test_clearing_up_that_the_storage_hinders() -> None:
    """What cannot be removed now is removed by the next sweep."""
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
async def test_refunds_do_not_wait_for_the_storage() -> None:
    """A blob store that hangs keeps a sweep from erasing, and nobody from a refund."""
    limits = Limits(undo_delete_s=0)
    plushify = InMemoryPlushify(store=BrokenStore(), blobs=(blobs := BrokenBlobs()), limits=limits)
    deleted = await plushify.make()
    await plushify.gallery.delete("ann", deleted.id)
    running = await abandoned_while_running(plushify)
    blobs.delays_s = dict.fromkeys(("keys", "delete original", "delete generated", "delete thumbnail"), 10_000)
    erasing = asyncio.ensure_future(plushify.recover.sweep_blobs())
    await asyncio.sleep(90)

    assert await plushify.recover.sweep_leases() == Swept(refunded=1)
    assert (await plushify.row(running.id)).status is Status.FAILED
    assert not erasing.done()
    assert (await erasing).purged == 1


@on_virtual_time
async def test_failed_and_deleted_at_once() -> None:
    """The row of a failure that its user deletes stays as long as somebody may still store something for it."""
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
async def test_sweeps_in_parallel() -> None:
    """Any number of replicas may sweep at once: each thing is done once."""
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
    """A sweep does a batch at a time, and the next goes on."""
    plushify = InMemoryPlushify(limits=Limits(sweep_batch=2, max_in_flight_per_user=5, free_credits=5))
    for _ in range(5):
        await plushify.submit()
    await asyncio.sleep(60)

    assert [(await plushify.recover.sweep()).refunded for _ in range(4)] == [2, 2, 1, 0]


@on_virtual_time
async def test_success_survives_the_sweep() -> None:
    """Of a settling and a sweep at the same time, one wins: refunded or succeeded, never both."""
    plushify = InMemoryPlushify(limits=Limits(lease_margin_s=1), model=MemoryImageModel(delay_s=59.9))
    generation = await plushify.submit()
    run = asyncio.ensure_future(plushify.generate.run(generation.id))
    await asyncio.sleep(59)
    for _ in range(300):
        await asyncio.sleep(0.01)
        await plushify.recover.sweep()

    assert (await run).status is Status.SUCCEEDED
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_purge_that_the_storage_hinders() -> None:
    """What cannot be erased now stays past return, and the next sweep erases it."""
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
    """A purge that died after the blobs and before the row is finished by the next sweep."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()), store=(store := BrokenStore()))
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)
    await asyncio.sleep(30)
    blobs.delays_s = {"delete thumbnail": 1}
    sweep = asyncio.ensure_future(plushify.recover.sweep())
    await asyncio.sleep(0.5)
    store.refusals = 1

    assert await sweep == NOTHING
    assert (blobs.blobs, (await plushify.row(generation.id)).purging) == ({}, True)
    assert await plushify.recover.sweep() == Swept(purged=1)
    assert await plushify.stored(generation.id) is None


@on_virtual_time
async def test_no_undo_window() -> None:
    """Where there is no undo, the next sweep erases what is deleted."""
    plushify = InMemoryPlushify(limits=Limits(undo_delete_s=0))
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)

    assert await plushify.recover.sweep() == Swept(purged=1)


@on_virtual_time
async def test_purge_frees_the_key() -> None:
    """After its generation is erased, a key is new again."""
    plushify = InMemoryPlushify(limits=Limits(undo_delete_s=0))
    generation = await plushify.make(key="k")
    await plushify.gallery.delete("ann", generation.id)
    await plushify.recover.sweep()

    assert (await plushify.make(key="k")).id != generation.id
    assert await plushify.amounts() == [3, -1, -1]
