"""Submission: the charge, the row and the photo, and failures between them."""

import asyncio
from datetime import timedelta

import pytest

from plushify_core import EntryKind, IllegalTransition, Limits, Reason, Status
from tests.broken import BrokenBlobs, BrokenStore, StubbornBlobs
from tests.in_memory import PHOTO, InMemoryPlushify, failure_reason
from tests.virtual_time import EPOCH, on_virtual_time


@on_virtual_time
async def test_submission() -> None:
    """A submission charges the price, adds the row and stores the photo, and does not call the model."""
    plushify = InMemoryPlushify()

    generation = await plushify.submit(key="k")

    assert generation == await plushify.row(generation.id)
    assert (generation.status, generation.credits_cost, generation.idempotency_key) == (Status.PENDING, 1, "k")
    assert generation.deadline_at == EPOCH + timedelta(seconds=60)
    assert generation.lease_until == EPOCH + timedelta(seconds=20)
    assert generation.original is not None
    assert plushify.blobs.blobs[generation.original.key] == (PHOTO, "image/x-portable-pixmap")
    assert [(entry.kind, entry.amount) for entry in await plushify.entries()] == [
        (EntryKind.CONSUME, -1),
        (EntryKind.GRANT, 3),
    ]
    assert plushify.model.requests == []


@pytest.mark.parametrize(("quality", "cost"), [("standard", 1), ("high", 2), ("ultra", 4)])
@on_virtual_time
async def test_prices(quality: str, cost: int) -> None:
    """A submission charges the price of its quality."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=4))

    generation = await plushify.generate.submit("ann", PHOTO, style="chibi", quality=quality)

    assert (generation.credits_cost, await plushify.balance()) == (cost, 4 - cost)


@on_virtual_time
async def test_photo_that_cannot_be_stored() -> None:
    """If the photo cannot be stored, the generation fails with a refund, and its row names no original."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.refused = {"put original"}

    failed = await plushify.submit()

    assert (failed.status, failure_reason(failed)) == (Status.FAILED, Reason.STORAGE_UNAVAILABLE)
    assert (failed.original, blobs.blobs) == (None, {})
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_photo_that_takes_too_long_to_store() -> None:
    """A submission stops waiting for the blob store when its lease expires, and is refunded."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"put original": 3600}

    failed = await plushify.submit()

    assert failure_reason(failed) is Reason.STORAGE_UNAVAILABLE
    assert plushify.clock() == EPOCH + timedelta(seconds=20)
    assert await plushify.balance() == 3


@on_virtual_time
async def test_lease_that_expires_before_the_photo_is_stored() -> None:
    """If the commit takes longer than the lease, the photo is not stored, and the generation is refunded."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()), store=(store := BrokenStore()))
    store.commit_delay_s = 25

    failed = await plushify.submit()

    assert (failed.status, blobs.put_calls) == (Status.FAILED, [])
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_photo_that_is_stored_too_late() -> None:
    """A photo that is stored after a sweep has failed its generation is removed."""
    plushify = InMemoryPlushify(blobs=(blobs := StubbornBlobs()))
    blobs.delays_s = {"put original": 25}
    submission = asyncio.create_task(plushify.submit())
    await asyncio.sleep(21)
    await plushify.sweep()

    failed = await submission

    assert failure_reason(failed) is Reason.INTERRUPTED
    assert blobs.blobs == {}
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_commit_that_fails() -> None:
    """If the charge cannot be committed, nothing is charged and nothing is stored."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    store.refusals = 1

    with pytest.raises(ConnectionError):
        await plushify.submit()

    assert await plushify.amounts() == []
    assert plushify.blobs.blobs == {}


@on_virtual_time
async def test_commit_whose_answer_is_lost() -> None:
    """If a committed charge seemed to fail, no photo was stored, and a sweep refunds the charge."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    store.lost_answers = 1
    with pytest.raises(ConnectionError):
        await plushify.submit()

    assert await plushify.amounts() == [3, -1]
    await asyncio.sleep(20)
    await plushify.sweep()
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_id_of_a_generation_that_was_purged() -> None:
    """A generation is not made for free because its id repeats that of one that was charged and purged."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    await plushify.gallery.delete("ann", made.id)
    await asyncio.sleep(plushify.limits.undo_delete_s)
    await plushify.sweep()
    ids = iter([made.id, plushify.new_id()])
    repeating = InMemoryPlushify(store=plushify.store)
    object.__setattr__(repeating, "new_id", lambda: next(ids))

    with pytest.raises(IllegalTransition):
        await repeating.submit()

    assert await plushify.stored(made.id) is None
    assert await plushify.amounts() == [3, -1]
