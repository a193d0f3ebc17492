"""The audit finds what disagrees, mends what is safe, and leaves a sound house alone."""

import asyncio
from datetime import timedelta

import msgspec

from plushify_core import (
    AuditUseCase,
    Disagreement,
    EntryKind,
    Finding,
    GalleryUseCase,
    Generation,
    LedgerEntry,
    Limits,
    Outcome,
    Reason,
)
from plushify_core.drawing import NotDrawn
from tests.broken import BrokenBlobs
from tests.house import House
from tests.virtual_time import on_virtual_time

LONG_AFTER_S = 1_000


async def audit(house: House, *, repair: bool = False) -> list[Finding]:
    """What an audit finds."""
    case = AuditUseCase(
        store=house.store, blobs=house.blobs, clock=house.clock, new_id=house.new_id, limits=house.limits
    )
    return [finding async for finding in case.findings(repair=repair)]


async def overwrite(house: House, current: Generation, **changes: object) -> None:
    """Damage a row behind the use cases' back."""
    async with house.store.begin() as tx:
        assert await tx.generations.replace(current, msgspec.structs.replace(current, **changes))


async def later(seconds: float = LONG_AFTER_S) -> None:
    """Let time pass: what has just ended is left alone."""
    await asyncio.sleep(seconds)


@on_virtual_time
async def test_a_sound_house_has_no_findings() -> None:
    """Succeeded, failed, pending and deleted generations agree with their entries and blobs."""
    house = House()
    made = await house.make()
    await house.make("ben")
    await house.submit("cleo")
    await house.gallery.delete("ann", made.id)
    assert await audit(house) == []


@on_virtual_time
async def test_it_reads_in_pages() -> None:
    """A page smaller than the house hides nothing."""
    house = House(limits=Limits(audit_batch=2, free_credits=10))
    made = [await house.make() for _ in range(5)]
    for generation in made:
        assert generation.generated is not None
        await house.blobs.delete(generation.generated.key)
        await house.blobs.put(f"generations/{house.new_id()}/original", b"stray", media_type="image/jpeg")
    await later()
    kinds = [finding.disagreement for finding in await audit(house)]
    assert kinds == [Disagreement.BLOB_MISSING] * 5 + [Disagreement.BLOB_UNKNOWN] * 5


@on_virtual_time
async def test_blobs_are_listed_side_by_side_a_few_at_once() -> None:
    """As many listings as the limit says are under way together, and what they find comes in the order of the rows."""
    blobs = BrokenBlobs()
    house = House(blobs=blobs, limits=Limits(audit_listings=2, free_credits=10))
    gone = [f"{(await house.make()).blob_prefix}original" for _ in range(5)]
    for key in gone:
        await blobs.delete(key)
    blobs.delays_s["keys"] = 10

    started = house.clock()
    found = await audit(house)

    assert [finding.subject for finding in found] == gone
    rounds, of_everything = 3, 1  # five generations, two at once
    assert house.clock() - started == timedelta(seconds=10 * (rounds + of_everything))


@on_virtual_time
async def test_a_balance_follows_its_entries() -> None:
    """A cached balance that is not the sum of the entries is found, and set to it."""
    house = House()
    await house.make()
    await house.credits.add_credits("ann", 5, reason="gift")
    tables = house.store._tables
    tables.subscriptions["ann"] = msgspec.structs.replace(tables.subscriptions["ann"], balance=100)

    (finding,) = await audit(house)
    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BALANCE, "ann", False)
    (finding,) = await audit(house, repair=True)
    assert finding.repaired
    assert await house.balance() == 7
    assert await audit(house) == []


@on_virtual_time
async def test_a_missing_refund_is_paid() -> None:
    """A failed generation without its refund is found and refunded, once."""
    house = House()
    generation = await house.submit()
    failure = NotDrawn(reason=Reason.INTERRUPTED).failure
    async with house.store.begin() as tx:
        assert await tx.generations.replace(generation, generation.failed(failure, at=house.clock()))

    (finding,) = await audit(house, repair=True)
    assert (finding.disagreement, finding.repaired) == (Disagreement.ENTRIES, True)
    assert await house.amounts() == [3, -1, 1]
    assert await audit(house, repair=True) == []


@on_virtual_time
async def test_a_price_never_taken_is_for_a_person_to_decide() -> None:
    """A succeeded generation that was refunded is told, and not charged again."""
    house = House()
    generation = await house.make()
    async with house.store.begin() as tx:
        await tx.credits.post(
            LedgerEntry(
                id=house.new_id(),
                user_id="ann",
                kind=EntryKind.REFUND,
                amount=1,
                reason="by mistake",
                actor="system",
                created_at=house.clock(),
                generation_id=generation.id,
            )
        )
    (finding,) = await audit(house, repair=True)
    assert (finding.disagreement, finding.repaired) == (Disagreement.ENTRIES, False)
    assert await house.amounts() == [3, -1, 1]


@on_virtual_time
async def test_a_lease_that_nobody_sweeps_is_found() -> None:
    """An unfinished generation long past its lease means that no sweep runs."""
    house = House()
    generation = await house.submit()
    assert await audit(house) == []
    await later()
    (finding,) = await audit(house)
    assert (finding.disagreement, finding.subject) == (Disagreement.LEASE, str(generation.id))


@on_virtual_time
async def test_a_call_without_an_outcome_is_closed() -> None:
    """A call that is still open when its generation has ended is found, and closed as interrupted."""
    house = House()
    generation = await house.make()
    call = await house.call(generation.id)
    assert call is not None
    async with house.store.begin() as tx:
        await tx.model_calls.replace(msgspec.structs.replace(call, outcome=Outcome.CALLING, ended_at=None))
    await later()
    (finding,) = await audit(house, repair=True)
    assert (finding.disagreement, finding.repaired) == (Disagreement.CALL, True)
    closed = await house.call(generation.id)
    assert closed is not None
    assert closed.outcome is Outcome.INTERRUPTED
    assert await audit(house) == []


@on_virtual_time
async def test_a_picture_that_is_gone_is_for_a_person_to_decide() -> None:
    """A blob that a row names and the store does not have is told; the row stays."""
    house = House()
    generation = await house.make()
    assert generation.thumbnail is not None
    await house.blobs.delete(generation.thumbnail.key)
    (finding,) = await audit(house, repair=True)
    expected = (Disagreement.BLOB_MISSING, generation.thumbnail.key, False)
    assert (finding.disagreement, finding.subject, finding.repaired) == expected
    assert await house.row(generation.id) == generation


@on_virtual_time
async def test_blobs_without_a_row_are_removed() -> None:
    """A blob whose generation does not exist goes; a key that is none of ours is told and left alone."""
    house = House()
    await house.make()
    stray, foreign = f"generations/{house.new_id()}/generated", "generations/readme.txt"
    for key in (stray, foreign):
        await house.blobs.put(key, b"x", media_type="text/plain")
    found = {finding.subject: finding.repaired for finding in await audit(house, repair=True)}
    assert found == {stray: True, foreign: False}
    assert [finding.subject for finding in await audit(house)] == [foreign]


@on_virtual_time
async def test_what_a_failed_drawing_left_is_removed() -> None:
    """A picture that a failed generation does not name is a finding once a sweep should have removed it."""
    house = House()
    generation = await house.submit()
    await house.generate._admission.withdraw(generation, Reason.INTERRUPTED)
    key = generation.blob_prefix + "generated"
    await house.blobs.put(key, b"late", media_type="image/png")
    await later(149)
    assert await audit(house) == []
    await later(2)
    (finding,) = await audit(house, repair=True)
    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BLOB_UNKNOWN, key, True)


@on_virtual_time
async def test_what_came_after_the_clearing_up_is_removed() -> None:
    """What was stored for a failure after a sweep had cleared up is found at once."""
    house = House()
    generation = await house.submit()
    await house.generate._admission.withdraw(generation, Reason.INTERRUPTED)
    await later(120)
    await house.sweep()
    key = generation.blob_prefix + "generated"
    await house.blobs.put(key, b"very late", media_type="image/png")
    (finding,) = await audit(house, repair=True)
    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BLOB_UNKNOWN, key, True)


@on_virtual_time
async def test_unfinished_and_purging_generations_may_hold_what_no_row_names() -> None:
    """A live system is no finding: a picture just before its commit, a purge halfway through."""
    house = House()
    pending = await house.submit()
    await house.blobs.put(pending.blob_prefix + "generated", b"soon", media_type="image/png")
    made = await house.make("ben")
    gallery: GalleryUseCase = house.gallery
    await gallery.delete("ben", made.id)
    trashed = await house.row(made.id)
    await overwrite(house, trashed, purging=True)
    await house.blobs.delete(made.blob_prefix + "original")
    assert await audit(house) == []
