"""Blobs that no row names: orphans are removed with care, and blobs whose row is lost are never removed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plushify_adapters.memory import MemoryBlobStore
from plushify_core import Disagreement, Finding, Generation, Limits, Outcome, Reason, Removal, Rendition, TooManyOrphans
from plushify_core.domain.generation import blob_key
from plushify_core.ports import BlobEntry
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import on_virtual_time, run

EVENTS = st.lists(st.sampled_from(["make", "submit", "fail", "erase", "orphan", "wait"]), max_size=6)
DAY_S = 86_400
NO_AGE = timedelta(0)


class AgelessBlobs(MemoryBlobStore):
    """Blob store that does not record times."""

    async def entries(self, prefix: str) -> AsyncIterator[BlobEntry]:
        """Return the blobs without a time."""
        async for entry in super().entries(prefix):
            yield msgspec.structs.replace(entry, modified_at=None)


def plushify_with(**limits: float) -> InMemoryPlushify:
    """Return Plushify with many free credits and these limits."""
    return InMemoryPlushify(limits=msgspec.structs.replace(Limits(free_credits=1_000), **limits))


async def backup(plushify: InMemoryPlushify) -> InMemoryPlushify:
    """Return Plushify on a copy of the database, and on the same blobs, which may change afterwards."""
    copy = InMemoryPlushify(blobs=plushify.blobs, limits=plushify.limits)
    copy.store._tables = plushify.store._tables.copy()
    return copy


async def erase(plushify: InMemoryPlushify, user_id: str = "ann") -> Generation:
    """Make a picture, delete it, and purge it."""
    made = await plushify.make(user_id)
    await plushify.gallery.delete(user_id, made.id)
    await asyncio.sleep(plushify.limits.undo_delete_s)
    await plushify.sweep()
    assert await plushify.stored(made.id) is None
    return made


async def orphan(plushify: InMemoryPlushify) -> str:
    """Return the key of a photo that was stored again after its generation was erased."""
    key = blob_key((await erase(plushify)).id, Rendition.ORIGINAL)
    await plushify.blobs.put(key, b"late", media_type="image/jpeg")
    return key


async def lose_row(plushify: InMemoryPlushify, generation: Generation) -> None:
    """Remove the row, and nothing else."""
    row = await plushify.row(generation.id)
    async with plushify.store.begin() as tx:
        assert await tx.generations.remove(row)


async def audit(plushify: InMemoryPlushify, removal: Removal | None = None) -> list[Finding]:
    """Repair what can be repaired, perform the removal, and return all findings."""
    return [finding async for finding in plushify.audit.findings(repair=True, removal=removal)]


async def remove_any(plushify: InMemoryPlushify) -> list[Finding]:
    """Remove orphaned blobs of any age and number."""
    return await audit(plushify, await plushify.audit.plan_removal(NO_AGE, any_number=True))


@on_virtual_time
async def test_a_restored_backup_loses_no_picture() -> None:
    """Pictures that are newer than the database are reported as lost rows, and nothing removes them."""
    plushify = plushify_with()
    await plushify.make()
    restored = await backup(plushify)
    newer = [await plushify.make("ben") for _ in range(3)]
    before = dict(plushify.blobs.blobs)
    await asyncio.sleep(400 * DAY_S)

    findings = await remove_any(restored)

    assert [(found.disagreement, found.subject, found.repaired) for found in findings] == [
        (Disagreement.ROW_LOST, str(generation.id), False) for generation in newer
    ]
    assert "original, generated and thumbnail are stored" in findings[0].detail
    assert "after every row, so the database looks older than the storage" in findings[0].detail
    assert plushify.blobs.blobs == before


@on_virtual_time
async def test_a_restored_backup_that_serves_again_loses_no_picture() -> None:
    """Pictures that the database has no record of stay lost rows after the restored database has newer rows."""
    plushify = plushify_with()
    restored = await backup(plushify)
    newer = await plushify.make("ben")
    unfinished = await plushify.submit("cleo")
    await asyncio.sleep(DAY_S)
    await restored.make()
    before = dict(plushify.blobs.blobs)

    findings = await remove_any(restored)

    assert [found.subject for found in findings] == [str(newer.id), str(unfinished.id)]
    assert "the ledger does not know it" in findings[0].detail
    assert plushify.blobs.blobs == before


@on_virtual_time
async def test_another_database_removes_nothing() -> None:
    """A database that never had the generations of this blob store finds only lost rows."""
    plushify = plushify_with()
    for _ in range(3):
        await plushify.make()
    other = InMemoryPlushify(blobs=plushify.blobs)
    before = dict(plushify.blobs.blobs)
    await asyncio.sleep(DAY_S)

    assert {found.disagreement for found in await remove_any(other)} == {Disagreement.ROW_LOST}
    assert plushify.blobs.blobs == before


@on_virtual_time
async def test_a_single_lost_row() -> None:
    """A missing row whose pictures are all stored is lost, although newer rows exist."""
    plushify = plushify_with()
    lost = await plushify.make()
    await plushify.make()
    await lose_row(plushify, lost)

    (finding,) = await remove_any(plushify)

    assert (finding.disagreement, finding.subject) == (Disagreement.ROW_LOST, str(lost.id))
    assert "it was charged and not refunded" in finding.detail
    assert await plushify.pictures_of(lost.id) == ["generated", "original", "thumbnail"]


@on_virtual_time
async def test_a_lost_row_of_an_unfinished_generation() -> None:
    """A photo of a generation that was charged and has neither a picture nor a refund is not orphaned."""
    plushify = plushify_with()
    pending = await plushify.submit()
    running = await plushify.make()
    async with plushify.store.begin() as tx:
        await tx.model_calls.update(
            running.id, lambda call: msgspec.structs.replace(call, outcome=Outcome.CALLING, ended_at=None)
        )
    for rendition in (Rendition.GENERATED, Rendition.THUMBNAIL):
        await plushify.blobs.delete(blob_key(running.id, rendition))
    for generation in (pending, running):
        await lose_row(plushify, generation)

    findings = await remove_any(plushify)

    lost = [found.subject for found in findings if found.disagreement is Disagreement.ROW_LOST]
    assert lost == [str(pending.id), str(running.id)]
    for generation in (pending, running):
        assert await plushify.pictures_of(generation.id) == ["original"]


@on_virtual_time
async def test_a_purge_meanwhile_is_no_finding() -> None:
    """Blobs that a purge deletes between the listing and the look for their row are no findings."""
    plushify = plushify_with()
    made = await plushify.make()
    listed = [entry async for entry in plushify.blobs.entries("generations/")]
    for key in made.blob_keys:
        await plushify.blobs.delete(key)
    await lose_row(plushify, made)

    folders = [folder async for folder in plushify.audit._search._examine(listed)]

    assert [(folder.lost, list(folder.unnamed)) for folder in folders] == [(None, [])]


@on_virtual_time
async def test_a_repair_removes_no_blob() -> None:
    """A repair reports an orphaned blob of any age, and does not remove it."""
    plushify = plushify_with()
    key = await orphan(plushify)
    await asyncio.sleep(400 * DAY_S)

    (finding,) = await audit(plushify)

    assert (finding.disagreement, finding.subject, finding.repaired) == (Disagreement.BLOB_UNKNOWN, key, False)
    assert key in plushify.blobs.blobs


@pytest.mark.parametrize("blobs", [MemoryBlobStore, AgelessBlobs])
@on_virtual_time
async def test_removes_only_old_blobs(blobs: type[MemoryBlobStore]) -> None:
    """An orphaned blob is removed once it is 7 days old. Without a time in the store, its id tells the age."""
    plushify = InMemoryPlushify()
    plushify = InMemoryPlushify(blobs=blobs(plushify.clock))
    key = await orphan(plushify)
    await asyncio.sleep(7 * DAY_S - 60)
    plan = await plushify.audit.plan_removal()
    assert plan == Removal(older_than=timedelta(days=7), at_most=0)
    assert [found.repaired for found in await audit(plushify, plan)] == [False]
    await asyncio.sleep(60)

    assert [found.repaired for found in await audit(plushify, await plushify.audit.plan_removal())] == [True]

    assert await audit(plushify) == []
    assert [stored for stored in plushify.blobs.blobs if stored.endswith(key)] == [
        f"trash/{plushify.clock():%Y-%m-%d}/{key}"
    ]


@on_virtual_time
async def test_a_blob_that_was_written_lately_is_young() -> None:
    """An old generation does not make a blob old that was written a moment ago."""
    plushify = plushify_with()
    erased = await erase(plushify)
    await asyncio.sleep(30 * DAY_S)
    await plushify.blobs.put(blob_key(erased.id, Rendition.ORIGINAL), b"late", media_type="image/jpeg")

    assert (await plushify.audit.plan_removal()).at_most == 0


@on_virtual_time
async def test_refuses_to_remove_a_large_share() -> None:
    """More orphaned blobs than the limits allow are not removed, unless any number is allowed."""
    plushify = plushify_with(orphan_count=2, orphan_percent=10)
    keys = [await orphan(plushify) for _ in range(3)]
    for _ in range(4):
        await plushify.make()

    with pytest.raises(TooManyOrphans) as refused:
        await plushify.audit.plan_removal(NO_AGE)
    assert (refused.value.removable, refused.value.listed, refused.value.lost) == (3, 15, 0)

    for _ in range(5):
        await plushify.make()
    assert (await plushify.audit.plan_removal(NO_AGE)).at_most == 3
    assert [found.subject for found in await remove_any(plushify)] == keys


@on_virtual_time
async def test_refuses_while_rows_are_lost() -> None:
    """If rows are lost, the database may be the wrong one, so a single orphan is removed only on demand."""
    plushify = plushify_with()
    key = await orphan(plushify)
    await lose_row(plushify, await plushify.make())

    with pytest.raises(TooManyOrphans):
        await plushify.audit.plan_removal(NO_AGE)

    removed = [found.subject for found in await remove_any(plushify) if found.repaired]
    assert removed == [key]


@on_virtual_time
async def test_removes_no_more_than_planned() -> None:
    """A removal moves at most the number of blobs that were counted, even if more are orphaned since."""
    plushify = plushify_with()
    await orphan(plushify)
    plan = await plushify.audit.plan_removal(NO_AGE)
    await orphan(plushify)

    assert [found.repaired for found in await audit(plushify, plan)] == [True, False]


@on_virtual_time
async def test_the_trash_is_emptied_after_a_month() -> None:
    """Removed blobs are erased for good after 30 days, except for those that a row names again."""
    plushify = plushify_with()
    await orphan(plushify)
    await remove_any(plushify)
    made = await plushify.make()
    assert made.thumbnail is not None
    day = f"{plushify.clock():%Y-%m-%d}"
    await plushify.blobs.move(made.thumbnail.key, f"trash/{day}/{made.thumbnail.key}")
    await asyncio.sleep(29 * DAY_S)
    assert await plushify.audit.empty_trash() == 0
    await asyncio.sleep(2 * DAY_S)

    assert await plushify.audit.empty_trash() == 1

    assert [key for key in plushify.blobs.blobs if key.startswith("trash/")] == [f"trash/{day}/{made.thumbnail.key}"]


async def perform(plushify: InMemoryPlushify, event: str) -> None:
    """Perform one event of a history."""
    match event:
        case "make":
            await plushify.make()
        case "submit":
            await plushify.submit()
        case "fail":
            await plushify.generate._dispatch.withdraw(await plushify.submit(), Reason.INTERRUPTED)
        case "erase":
            await erase(plushify)
        case "orphan":
            await orphan(plushify)
        case "wait":
            await asyncio.sleep(DAY_S)


@given(before=EVENTS, after=EVENTS)
@settings(max_examples=60, deadline=None)
def test_no_history_loses_a_picture(before: list[str], after: list[str]) -> None:
    """Whenever a backup was made, and whatever came after it, the restored database removes no blob of a newer row."""

    async def restore() -> None:
        plushify = plushify_with(max_in_flight_per_user=100)
        for event in before:
            await perform(plushify, event)
        restored = await backup(plushify)
        for event in after:
            await perform(plushify, event)
        await asyncio.sleep(DAY_S)
        async with plushify.store.begin() as tx:
            rows = await tx.audit.scan(after=None, limit=1_000)
        stored = {key for row in rows for key in row.blob_keys if key in plushify.blobs.blobs}

        lost = {found.subject for found in await remove_any(restored) if found.disagreement is Disagreement.ROW_LOST}

        assert stored <= plushify.blobs.blobs.keys()
        async with restored.store.begin() as tx:
            known = {row.id for row in await tx.audit.find([row.id for row in rows])}
        assert {str(row.id) for row in rows if row.id not in known and row.blob_keys} <= lost

    run(restore())
