"""What a user sees of their generations, and how they get rid of them."""

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
    """The newest come first, page after page, and every page knows how many there are."""
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
    """A page that happens to be full does not promise another."""
    plushify = InMemoryPlushify()
    await plushify.make()
    await plushify.make()

    assert (await plushify.gallery.list("ann", ALL, limit=2)).next_cursor is None


@on_virtual_time
async def test_filter_and_order() -> None:
    """A gallery can be told what to show, and in which order."""
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
async def test_page_limits(limit: int) -> None:
    """Nobody gets an endless page."""
    with pytest.raises(InvalidInput):
        await InMemoryPlushify().gallery.list("ann", ALL, limit=limit)


@on_virtual_time
async def test_pictures() -> None:
    """Each picture of a generation can be read; the store in memory has no address to offer."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    for rendition in Rendition:
        image = await plushify.gallery.image("ann", generation.id, rendition)
        data = b"".join([chunk async for chunk in plushify.gallery.read(image)])
        assert len(data) == image.size_bytes
        assert await plushify.gallery.url(image, expires_s=60) is None


@on_virtual_time
async def test_picture_that_is_not_there() -> None:
    """A pending generation has its photo and no picture."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()

    assert await plushify.gallery.image("ann", generation.id, Rendition.ORIGINAL) == generation.original
    with pytest.raises(NotFound):
        await plushify.gallery.image("ann", generation.id, Rendition.GENERATED)


@on_virtual_time
async def test_other_peoples_generations() -> None:
    """What belongs to somebody else does not exist, exactly like what does not exist."""
    plushify = InMemoryPlushify()
    generation = await plushify.make("ann")

    told: list[str] = []
    for generation_id in (generation.id, UUID(int=7)):
        for attempt in (
            plushify.gallery.get("bob", generation_id),
            plushify.gallery.image("bob", generation_id, Rendition.ORIGINAL),
            plushify.gallery.delete("bob", generation_id),
            plushify.gallery.restore("bob", generation_id),
        ):
            with pytest.raises(NotFound) as caught:
                await attempt
            told.append(str(caught.value))

    assert len(set(told)) == 1
    assert (await plushify.gallery.list("bob", ALL)).total == 0
    assert await plushify.gallery.get("ann", generation.id) == generation


@on_virtual_time
async def test_delete() -> None:
    """What is deleted is gone from every listing at once, and erased when the undo window is over."""
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
async def test_what_stays_of_an_erased_generation() -> None:
    """The books do not forget: entries and the model call stay."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)
    await asyncio.sleep(30)
    await plushify.sweep()

    assert await plushify.amounts() == [3, -1]
    assert await plushify.call(generation.id) is not None


@on_virtual_time
async def test_restore() -> None:
    """Within the undo window, what was deleted comes back as it was."""
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
async def test_restore_of_what_was_not_deleted() -> None:
    """Asked twice, the answer is the same."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    assert await plushify.gallery.restore("ann", generation.id) == generation


@on_virtual_time
async def test_restore_too_late() -> None:
    """The undo window ends to the second, whether or not a sweep has come by."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    await plushify.gallery.delete("ann", generation.id)
    await asyncio.sleep(30)

    with pytest.raises(InvalidInput) as caught:
        await plushify.gallery.restore("ann", generation.id)

    assert caught.value.reason is Reason.UNDO_WINDOW_OVER


@on_virtual_time
async def test_delete_of_a_failure() -> None:
    """A failure can be deleted and restored like a success; its refund stays."""
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
async def test_delete_of_the_unfinished(run: bool) -> None:
    """What is being made cannot be deleted: its credits are in its hands."""
    plushify = InMemoryPlushify()
    plushify.model.delay_s = 10
    generation = await plushify.submit()
    task = asyncio.ensure_future(plushify.generate.run(generation.id) if run else asyncio.sleep(0))
    await asyncio.sleep(1)

    with pytest.raises(InvalidInput) as caught:
        await plushify.gallery.delete("ann", generation.id)

    assert caught.value.reason is Reason.GENERATION_UNFINISHED
    await task


@on_virtual_time
async def test_delete_and_restore_in_parallel() -> None:
    """Of many deletions and restorations at once, each sees what the one before left."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()

    results = await asyncio.gather(
        *(plushify.gallery.delete("ann", generation.id) for _ in range(5)),
        *(plushify.gallery.restore("ann", generation.id) for _ in range(5)),
        return_exceptions=True,
    )

    assert sum(isinstance(result, PlushifyError) for result in results) == 4  # four deletions of what is deleted
    assert (await plushify.row(generation.id)).deleted_at is None


@on_virtual_time
async def test_picture_that_the_storage_lost() -> None:
    """A picture whose bytes are gone says so at the first step."""
    plushify = InMemoryPlushify()
    generation = await plushify.make()
    plushify.blobs.blobs.clear()

    image = await plushify.gallery.image("ann", generation.id, Rendition.GENERATED)
    with pytest.raises(BlobMissing):
        await anext(plushify.gallery.read(image))
