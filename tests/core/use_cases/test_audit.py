"""Audit: finds inconsistencies, repairs what is safe, and reports nothing on a consistent system."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from plushify_core import (
    AuditUseCase,
    Disagreement,
    EntryKind,
    Failure,
    Finding,
    Generation,
    LedgerEntry,
    Limits,
    Outcome,
    Reason,
    Rendition,
)
from plushify_core.domain.generation import blob_key
from tests.broken import BrokenBlobs
from tests.in_memory import InMemoryPlushify, PlushifyForTests
from tests.invariants import in_memory, violations
from tests.virtual_time import on_virtual_time

LONG_AFTER_S = 1_000
NO_AGE = timedelta(0)


async def audit(
    plushify: PlushifyForTests, *, repair: bool = False, remove_older_than: timedelta | None = None
) -> list[Finding]:
    """Return the findings of an audit that removes any number of orphaned blobs of this age."""
    case = AuditUseCase(
        store=plushify.store, blobs=plushify.blobs, clock=plushify.clock, new_id=plushify.new_id, limits=plushify.limits
    )
    removal = None
    if remove_older_than is not None:
        removal = await case.plan_removal(remove_older_than, any_number=True)
    return [finding async for finding in case.findings(repair=repair, removal=removal)]


async def overwrite(plushify: InMemoryPlushify, current: Generation, **changes: object) -> None:
    """Change fields of a stored row without a use case."""
    async with plushify.store.begin() as tx:
        assert await tx.generations.replace(current, msgspec.structs.replace(current, **changes))


async def wait(seconds: float = LONG_AFTER_S) -> None:
    """Let time pass, because the audit skips generations that have just ended."""
    await asyncio.sleep(seconds)


async def withdraw(plushify: InMemoryPlushify) -> str:
    """Submit a photo and fail its generation. Return the key that its picture would have."""
    generation = await plushify.submit()
    await plushify.generate._dispatch.withdraw(generation, Reason.INTERRUPTED)
    return blob_key(generation.id, Rendition.GENERATED)


async def assert_removes(plushify: InMemoryPlushify, key: str) -> None:
    """Assert that the only finding is a blob without a row, and that only a removal moves it to the trash."""
    (finding,) = await audit(plushify, repair=True)
    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BLOB_UNKNOWN, key, False)
    assert key in plushify.blobs.blobs
    (finding,) = await audit(plushify, remove_older_than=NO_AGE)
    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BLOB_UNKNOWN, key, True)
    assert key not in plushify.blobs.blobs
    assert f"trash/{plushify.clock():%Y-%m-%d}/{key}" in plushify.blobs.blobs


@on_virtual_time
async def test_a_consistent_system_has_no_findings() -> None:
    """Succeeded, pending and deleted generations with the right entries and blobs are no findings."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    await plushify.make("ben")
    await plushify.submit("cleo")
    await plushify.gallery.delete("ann", made.id)
    assert await audit(plushify) == []


@on_virtual_time
async def test_reads_in_pages() -> None:
    """The audit finds everything if there are more rows and blobs than fit on one page."""
    plushify = InMemoryPlushify(limits=Limits(audit_batch=2, free_credits=10))
    made = [await plushify.make() for _ in range(5)]
    for generation in made:
        assert generation.generated is not None
        await plushify.blobs.delete(generation.generated.key)
        await plushify.blobs.put(f"generations/{plushify.new_id()}/probe", b"stray", media_type="image/jpeg")
    await wait()
    kinds = [finding.disagreement for finding in await audit(plushify)]
    assert kinds == [Disagreement.BLOB_MISSING] * 5 + [Disagreement.BLOB_UNKNOWN] * 5


@on_virtual_time
async def test_lists_blobs_concurrently() -> None:
    """The audit runs `audit_listings` listings at once, and yields findings in the order of the rows."""
    blobs = BrokenBlobs()
    plushify = InMemoryPlushify(blobs=blobs, limits=Limits(audit_listings=2, free_credits=10))
    missing = [f"{(await plushify.make()).blob_prefix}original" for _ in range(5)]
    for key in missing:
        await blobs.delete(key)
    blobs.delays_s["keys"] = 10

    started = plushify.clock()
    found = await audit(plushify)

    assert [finding.subject for finding in found] == missing
    rounds = 3  # five generations, two listings at once
    all_blobs = 1  # the listing that finds blobs without a row
    assert plushify.clock() - started == timedelta(seconds=10 * (rounds + all_blobs))


@on_virtual_time
async def test_wrong_balance() -> None:
    """A balance that differs from the sum of the entries is found, and set to the sum."""
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
async def test_missing_refund() -> None:
    """A failed generation without a refund is found, and refunded once."""
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
async def test_missing_charge() -> None:
    """A succeeded generation without a charge is found, and not charged, because a person must decide."""
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
async def test_expired_lease() -> None:
    """An unfinished generation whose lease expired long ago is found, because it means that no sweep runs."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()
    assert await audit(plushify) == []
    await wait()
    (finding,) = await audit(plushify)
    assert (finding.disagreement, finding.subject) == (Disagreement.LEASE, str(generation.id))


@on_virtual_time
async def test_call_without_an_outcome() -> None:
    """A model call that is open although its generation has ended is found, and closed as interrupted."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    async with plushify.store.begin() as tx:
        await tx.model_calls.update(
            generation.id, lambda call: msgspec.structs.replace(call, outcome=Outcome.CALLING, ended_at=None)
        )
    await wait()
    (finding,) = await audit(plushify, repair=True)
    assert (finding.disagreement, finding.repaired) == (Disagreement.CALL, True)
    assert (await plushify.recorded_call(generation.id)).outcome is Outcome.INTERRUPTED
    assert await audit(plushify) == []


@on_virtual_time
async def test_missing_blob() -> None:
    """A blob that a row names and the blob store does not have is found, and the row is not changed."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    assert generation.thumbnail is not None
    await plushify.blobs.delete(generation.thumbnail.key)
    (finding,) = await audit(plushify, repair=True)
    expected = (Disagreement.BLOB_MISSING, generation.thumbnail.key, False)
    assert (finding.disagreement, finding.subject, finding.repaired) == expected
    assert await plushify.row(generation.id) == generation


@on_virtual_time
async def test_blobs_without_a_row() -> None:
    """A blob without a row is removed. A key of an unknown form is a finding, and is not removed."""
    plushify = InMemoryPlushify()
    await plushify.make()
    stray, foreign = f"generations/{plushify.new_id()}/probe", "generations/readme.txt"
    hex_folder = f"generations/{plushify.new_id().hex}/original"
    for key in (stray, foreign, hex_folder):
        await plushify.blobs.put(key, b"x", media_type="text/plain")
    found = {finding.subject: finding.repaired for finding in await audit(plushify, remove_older_than=NO_AGE)}
    assert found == {stray: True, foreign: False, hex_folder: False}
    assert {finding.subject for finding in await audit(plushify)} == {foreign, hex_folder}


@on_virtual_time
async def test_orphaned_blob_of_a_failure() -> None:
    """An orphaned blob of a failed generation is a finding once a sweep should have removed it."""
    plushify = InMemoryPlushify()
    key = await withdraw(plushify)
    await plushify.blobs.put(key, b"late", media_type="image/png")
    await wait(179)
    assert await audit(plushify) == []
    await wait(2)
    await assert_removes(plushify, key)


@on_virtual_time
async def test_orphaned_blob_after_the_sweep() -> None:
    """A blob that was stored after the sweep had tidied its failed generation is found at once."""
    plushify = InMemoryPlushify()
    key = await withdraw(plushify)
    await wait(120)
    await plushify.sweep()
    await plushify.blobs.put(key, b"very late", media_type="image/png")
    await assert_removes(plushify, key)


@on_virtual_time
async def test_running_and_purging_generations() -> None:
    """A blob just before its commit, and a purge that has begun, are no findings."""
    plushify = InMemoryPlushify()
    pending = await plushify.submit()
    await plushify.blobs.put(pending.blob_prefix + "generated", b"soon", media_type="image/png")
    made = await plushify.make("ben")
    await plushify.gallery.delete("ben", made.id)
    trashed = await plushify.row(made.id)
    await overwrite(plushify, trashed, purging=True)
    await plushify.blobs.delete(made.blob_prefix + "original")
    assert await audit(plushify) == []


@on_virtual_time
async def test_refund_by_hand() -> None:
    """A delivered picture that an operator refunded is consistent, before and after its deletion."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    await plushify.credits.refund_generation("ann", made.id, reason="blurred", actor="operator eve")
    assert await audit(plushify) == []
    assert not list(violations(in_memory(plushify.store, plushify.blobs)))

    await plushify.gallery.delete("ann", made.id)
    assert await audit(plushify) == []
    assert not list(violations(in_memory(plushify.store, plushify.blobs)))
    await wait()
    await plushify.sweep()
    assert await audit(plushify) == []
    assert not list(violations(in_memory(plushify.store, plushify.blobs)))


@pytest.mark.parametrize(("amount", "actor"), [(1, "system"), (2, "eve")])
@on_virtual_time
async def test_wrong_refund_of_a_success(amount: int, actor: str) -> None:
    """A delivered picture that the system refunded, or an operator refunded with another amount, is a finding."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    refund = LedgerEntry(
        id=plushify.new_id(),
        user_id="ann",
        kind=EntryKind.REFUND,
        amount=amount,
        reason="by mistake",
        actor=actor,
        created_at=plushify.clock(),
        generation_id=made.id,
    )
    async with plushify.store.begin() as tx:
        assert await tx.credits.post(refund)

    (finding,) = await audit(plushify)
    assert finding.disagreement is Disagreement.ENTRIES
    assert len(list(violations(in_memory(plushify.store, plushify.blobs)))) == 1
