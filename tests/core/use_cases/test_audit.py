"""The audit finds what disagrees, mends what is safe, and leaves a sound house alone."""

import asyncio
from datetime import timedelta

import msgspec

from plushify_core import (
    AuditUseCase,
    Disagreement,
    EntryKind,
    Failure,
    Finding,
    GalleryUseCase,
    Generation,
    LedgerEntry,
    Limits,
    Outcome,
    Reason,
)
from tests.broken import BrokenBlobs
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import on_virtual_time

LONG_AFTER_S = 1_000


async def audit(plushify: InMemoryPlushify, *, repair: bool = False) -> list[Finding]:
    """What an audit finds."""
    case = AuditUseCase(
        store=plushify.store, blobs=plushify.blobs, clock=plushify.clock, new_id=plushify.new_id, limits=plushify.limits
    )
    return [finding async for finding in case.findings(repair=repair)]


async def overwrite(plushify: InMemoryPlushify, current: Generation, **changes: object) -> None:
    """Damage a row behind the use cases' back."""
    async with plushify.store.begin() as tx:
        assert await tx.generations.replace(current, msgspec.structs.replace(current, **changes))


async def later(seconds: float = LONG_AFTER_S) -> None:
    """Let time pass: what has just ended is left alone."""
    await asyncio.sleep(seconds)


@on_virtual_time
async def test_a_sound_house_has_no_findings() -> None:
    """Succeeded, failed, pending and deleted generations agree with their entries and blobs."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    await plushify.make("ben")
    await plushify.submit("cleo")
    await plushify.gallery.delete("ann", made.id)
    assert await audit(plushify) == []


@on_virtual_time
async def test_it_reads_in_pages() -> None:
    """A page smaller than the house hides nothing."""
    plushify = InMemoryPlushify(limits=Limits(audit_batch=2, free_credits=10))
    made = [await plushify.make() for _ in range(5)]
    for generation in made:
        assert generation.generated is not None
        await plushify.blobs.delete(generation.generated.key)
        await plushify.blobs.put(f"generations/{plushify.new_id()}/original", b"stray", media_type="image/jpeg")
    await later()
    kinds = [finding.disagreement for finding in await audit(plushify)]
    assert kinds == [Disagreement.BLOB_MISSING] * 5 + [Disagreement.BLOB_UNKNOWN] * 5


@on_virtual_time
async def test_blobs_are_listed_side_by_side_a_few_at_once() -> None:
    """As many listings as the limit says are under way together, and what they find comes in the order of the rows."""
    blobs = BrokenBlobs()
    plushify = InMemoryPlushify(blobs=blobs, limits=Limits(audit_listings=2, free_credits=10))
    gone = [f"{(await plushify.make()).blob_prefix}original" for _ in range(5)]
    for key in gone:
        await blobs.delete(key)
    blobs.delays_s["keys"] = 10

    started = plushify.clock()
    found = await audit(plushify)

    assert [finding.subject for finding in found] == gone
    rounds, of_everything = 3, 1  # five generations, two at once
    assert plushify.clock() - started == timedelta(seconds=10 * (rounds + of_everything))


@on_virtual_time
async def test_a_balance_follows_its_entries() -> None:
    """A cached balance that is not the sum of the entries is found, and set to it."""
    plushify = InMemoryPlushify()
    await plushify.make()
    await plushify.credits.add_credits("ann", 5, reason="gift")
    tables = plushify.store._tables
    tables.subscriptions["ann"] = msgspec.structs.replace(tables.subscriptions["ann"], balance=100)

    (finding,) = await audit(plushify)
    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BALANCE, "ann", False)
    (finding,) = await audit(plushify, repair=True)
    assert finding.repaired
    assert await plushify.balance() == 7
    assert await audit(plushify) == []


@on_virtual_time
async def test_a_missing_refund_is_paid() -> None:
    """A failed generation without its refund is found and refunded, once."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    failure = Failure.of(Reason.INTERRUPTED)
    async with plushify.store.begin() as tx:
        assert await tx.generations.replace(generation, generation.fail(failure, at=plushify.clock()))

    (finding,) = await audit(plushify, repair=True)
    assert (finding.disagreement, finding.repaired) == (Disagreement.ENTRIES, True)
    assert await plushify.amounts() == [3, -1, 1]
    assert await audit(plushify, repair=True) == []


@on_virtual_time
async def test_a_price_never_taken_is_for_a_person_to_decide() -> None:
    """A succeeded generation that was refunded is told, and not charged again."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    async with plushify.store.begin() as tx:
        await tx.credits.post(
            LedgerEntry(
                id=plushify.new_id(),
                user_id="ann",
                kind=EntryKind.REFUND,
                amount=1,
                reason="by mistake",
                actor="system",
                created_at=plushify.clock(),
                generation_id=generation.id,
            )
        )
    (finding,) = await audit(plushify, repair=True)
    assert (finding.disagreement, finding.repaired) == (Disagreement.ENTRIES, False)
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_a_lease_that_nobody_sweeps_is_found() -> None:
    """An unfinished generation long past its lease means that no sweep runs."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    assert await audit(plushify) == []
    await later()
    (finding,) = await audit(plushify)
    assert (finding.disagreement, finding.subject) == (Disagreement.LEASE, str(generation.id))


@on_virtual_time
async def test_a_call_without_an_outcome_is_closed() -> None:
    """A call that is still open when its generation has ended is found, and closed as interrupted."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    call = await plushify.call(generation.id)
    assert call is not None
    async with plushify.store.begin() as tx:
        await tx.model_calls.replace(msgspec.structs.replace(call, outcome=Outcome.CALLING, ended_at=None))
    await later()
    (finding,) = await audit(plushify, repair=True)
    assert (finding.disagreement, finding.repaired) == (Disagreement.CALL, True)
    closed = await plushify.call(generation.id)
    assert closed is not None
    assert closed.outcome is Outcome.INTERRUPTED
    assert await audit(plushify) == []


@on_virtual_time
async def test_a_picture_that_is_gone_is_for_a_person_to_decide() -> None:
    """A blob that a row names and the store does not have is told; the row stays."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    assert generation.thumbnail is not None
    await plushify.blobs.delete(generation.thumbnail.key)
    (finding,) = await audit(plushify, repair=True)
    expected = (Disagreement.BLOB_MISSING, generation.thumbnail.key, False)
    assert (finding.disagreement, finding.subject, finding.repaired) == expected
    assert await plushify.row(generation.id) == generation


@on_virtual_time
async def test_blobs_without_a_row_are_removed() -> None:
    """A blob whose generation does not exist goes; a key that is none of ours is told and left alone."""
    plushify = InMemoryPlushify()
    await plushify.make()
    stray, foreign = f"generations/{plushify.new_id()}/generated", "generations/readme.txt"
    for key in (stray, foreign):
        await plushify.blobs.put(key, b"x", media_type="text/plain")
    found = {finding.subject: finding.repaired for finding in await audit(plushify, repair=True)}
    assert found == {stray: True, foreign: False}
    assert [finding.subject for finding in await audit(plushify)] == [foreign]


@on_virtual_time
async def test_what_a_failed_drawing_left_is_removed() -> None:
    """A picture that a failed generation does not name is a finding once a sweep should have removed it."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    await plushify.generate._dispatch.withdraw(generation, Reason.INTERRUPTED)
    key = generation.blob_prefix + "generated"
    await plushify.blobs.put(key, b"late", media_type="image/png")
    await later(149)
    assert await audit(plushify) == []
    await later(2)
    (finding,) = await audit(plushify, repair=True)
    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BLOB_UNKNOWN, key, True)


@on_virtual_time
async def test_what_came_after_the_clearing_up_is_removed() -> None:
    """What was stored for a failure after a sweep had cleared up is found at once."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    await plushify.generate._dispatch.withdraw(generation, Reason.INTERRUPTED)
    await later(120)
    await plushify.sweep()
    key = generation.blob_prefix + "generated"
    await plushify.blobs.put(key, b"very late", media_type="image/png")
    (finding,) = await audit(plushify, repair=True)
    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BLOB_UNKNOWN, key, True)


@on_virtual_time
async def test_unfinished_and_purging_generations_may_hold_what_no_row_names() -> None:
    """A live system is no finding: a picture just before its commit, a purge halfway through."""
    plushify = InMemoryPlushify()
    pending = await plushify.submit()
    await plushify.blobs.put(pending.blob_prefix + "generated", b"soon", media_type="image/png")
    made = await plushify.make("ben")
    gallery: GalleryUseCase = plushify.gallery
    await gallery.delete("ben", made.id)
    trashed = await plushify.row(made.id)
    await overwrite(plushify, trashed, purging=True)
    await plushify.blobs.delete(made.blob_prefix + "original")
    assert await audit(plushify) == []
