"""Gallery: pages, pictures, deletion and restoration of generations."""

import asyncio
from uuid import UUID

import pytest

from plushify_core import (
    BlobMissing,
    GenerationFailed,
    InvalidInput,
    Limits,
    ModelError,
    NotFound,
    PlushifyError,
    Reason,
    Rendition,
    Status,
)
from plushify_core.domain.model_call import Billing
from plushify_core.ports import GalleryFilter, Sort
from tests.in_memory import PHOTO, PICTURES, InMemoryPlushify
from tests.virtual_time import on_virtual_time

ALL = GalleryFilter()


@on_virtual_time
async def test_pages() -> None:
    """Pages list all generations once, newest first, each with the total number."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=5))
    made = [(await plushify.make()).id for _ in range(5)]

    first = await plushify.gallery.list("ann", ALL, limit=2)
    second = await plushify.gallery.list("ann", ALL, limit=2, cursor=first.next_cursor)
    third = await plushify.gallery.list("ann", ALL, limit=2, cursor=second.next_cursor)

    pages = [[item.id for item in page.items] for page in (first, second, third)]
    assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]]]
    assert third.next_cursor is None
    assert {page.total for page in (first, second, third)} == {5}


@on_virtual_time
async def test_full_last_page() -> None:
    """The last page has no next cursor, also if it is full."""
    plushify = InMemoryPlushify()
    await plushify.make()
    await plushify.make()

    assert (await plushify.gallery.list("ann", ALL, limit=2)).next_cursor is None


@on_virtual_time
async def test_filter_and_order() -> None:
    """A gallery can be filtered by style and quality, and listed from oldest to newest."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=5))
    choices = [("kawaii", "standard"), ("chibi", "standard"), ("kawaii", "high")]
    made = [
        (await plushify.generate.generate("ann", PHOTO, style=style, quality=quality)).id for style, quality in choices
    ]

    async def shown(filter: GalleryFilter) -> list[int]:
        page = await plushify.gallery.list("ann", filter)
        assert page.total == len(page.items)
        return [made.index(item.id) for item in page.items]

    assert await shown(GalleryFilter(style="kawaii")) == [2, 0]
    assert await shown(GalleryFilter(quality="standard")) == [1, 0]
    assert await shown(GalleryFilter(style="kawaii", quality="high")) == [2]
    assert await shown(GalleryFilter(sort=Sort.OLDEST)) == [0, 1, 2]


@pytest.mark.parametrize("limit", [0, 101])
@on_virtual_time
async def test_invalid_page_size(limit: int) -> None:
    """A page with too few or too many items is refused."""
    with pytest.raises(InvalidInput):
        await InMemoryPlushify().gallery.list("ann", ALL, limit=limit)


@on_virtual_time
async def test_pictures() -> None:
    """Each picture of a generation can be read, and the store in memory signs no URLs."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    for rendition in Rendition:
        image = await plushify.gallery.image("ann", generation.id, rendition)
        data = b"".join([chunk async for chunk in plushify.gallery.read(image)])
        assert len(data) == image.size_bytes
        assert await plushify.gallery.url(image, expires_s=60) is None


@on_virtual_time
async def test_picture_of_a_pending_generation() -> None:
    """A pending generation has its original, and no generated picture."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()

    assert await plushify.gallery.image("ann", generation.id, Rendition.ORIGINAL) == generation.original
    with pytest.raises(NotFound):
        await plushify.gallery.image("ann", generation.id, Rendition.GENERATED)


@on_virtual_time
async def test_generations_of_other_users() -> None:
    """A generation of another user raises the same error as one that does not exist."""
    plushify = InMemoryPlushify()
    generation = await plushify.make("ann")

    errors: list[str] = []
    for generation_id in (generation.id, UUID(int=7)):
        for attempt in (
            plushify.gallery.get("bob", generation_id),
            plushify.gallery.image("bob", generation_id, Rendition.ORIGINAL),
            plushify.gallery.delete("bob", generation_id),
            plushify.gallery.restore("bob", generation_id),
        ):
            with pytest.raises(NotFound) as caught:
                await attempt
            errors.append(str(caught.value))

    assert len(set(errors)) == 1
    assert (await plushify.gallery.list("bob", ALL)).total == 0
    assert await plushify.gallery.get("ann", generation.id) == generation


@on_virtual_time
async def test_delete() -> None:
    """A deleted generation is no longer found, and is purged after the undo window."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    await plushify.gallery.delete("ann", generation.id)

    assert (await plushify.gallery.list("ann", ALL)).items == []
    with pytest.raises(NotFound):
        await plushify.gallery.get("ann", generation.id)
    with pytest.raises(NotFound):
        await plushify.gallery.image("ann", generation.id, Rendition.ORIGINAL)
    with pytest.raises(NotFound):
        await plushify.gallery.delete("ann", generation.id)
    assert await plushify.pictures_of(generation.id) == sorted(PICTURES)
    await asyncio.sleep(30)
    await plushify.sweep()
    assert await plushify.stored(generation.id) is None
    assert plushify.blobs.blobs == {}


@on_virtual_time
async def test_records_of_a_purged_generation() -> None:
    """Ledger entries and the model call remain after a purge."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)
    await asyncio.sleep(30)
    await plushify.sweep()

    assert await plushify.amounts() == [3, -1]
    assert await plushify.call(generation.id) is not None


@on_virtual_time
async def test_restore() -> None:
    """A generation that is restored within the undo window is complete, and is not purged."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)
    await asyncio.sleep(29)
    await plushify.sweep()

    restored = await plushify.gallery.restore("ann", generation.id)

    assert (restored.status, restored.deleted_at) == (Status.SUCCEEDED, None)
    assert restored.blob_keys == generation.blob_keys
    await asyncio.sleep(60)
    await plushify.sweep()
    assert await plushify.gallery.get("ann", generation.id) == restored
    assert await plushify.pictures_of(generation.id) == sorted(PICTURES)


@on_virtual_time
async def test_restore_of_a_generation_that_is_not_deleted() -> None:
    """Restoring a generation that is not deleted returns it unchanged."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    assert await plushify.gallery.restore("ann", generation.id) == generation


@on_virtual_time
async def test_restore_after_the_undo_window() -> None:
    """At the end of the undo window a restoration is refused, also before a sweep has run."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)
    await asyncio.sleep(30)

    with pytest.raises(InvalidInput) as caught:
        await plushify.gallery.restore("ann", generation.id)

    assert caught.value.reason is Reason.UNDO_WINDOW_OVER


@on_virtual_time
async def test_delete_of_a_failure() -> None:
    """A failed generation can be deleted and restored, and its refund remains."""
    plushify = InMemoryPlushify()
    plushify.model.fail_next(ModelError(Reason.NO_PICTURE, "nothing", retryable=True, billing=Billing.UNKNOWN))
    with pytest.raises(GenerationFailed):
        await plushify.make(key="k")
    failed = await plushify.submit(key="k")

    await plushify.gallery.delete("ann", failed.id)
    restored = await plushify.gallery.restore("ann", failed.id)

    assert restored.failure == failed.failure
    assert await plushify.amounts() == [3, -1, 1]


@pytest.mark.parametrize("run", [False, True])
@on_virtual_time
async def test_delete_of_an_unfinished_generation(run: bool) -> None:
    """A pending or running generation cannot be deleted."""
    plushify = InMemoryPlushify()
    plushify.model.delay_s = 10
    generation = await plushify.submit()
    task = asyncio.create_task(plushify.generate.run(generation.id) if run else asyncio.sleep(0))
    await asyncio.sleep(1)

    with pytest.raises(InvalidInput) as caught:
        await plushify.gallery.delete("ann", generation.id)

    assert caught.value.reason is Reason.GENERATION_UNFINISHED
    await task


@on_virtual_time
async def test_concurrent_deletions_and_restorations() -> None:
    """Each of many concurrent deletions and restorations works on the result of the one before."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    results = await asyncio.gather(
        *(plushify.gallery.delete("ann", generation.id) for _ in range(5)),
        *(plushify.gallery.restore("ann", generation.id) for _ in range(5)),
        return_exceptions=True,
    )

    assert sum(isinstance(result, PlushifyError) for result in results) == 4  # the four deletions after the first
    assert (await plushify.row(generation.id)).deleted_at is None


@on_virtual_time
async def test_picture_whose_bytes_are_missing() -> None:
    """Reading a picture whose bytes are missing raises `BlobMissing` at the first step."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    plushify.blobs.blobs.clear()

    image = await plushify.gallery.image("ann", generation.id, Rendition.GENERATED)
    with pytest.raises(BlobMissing):
        await anext(plushify.gallery.read(image))
