"""What becomes of uploads on their whole way through the use case, with real photos and files that are none."""

from collections.abc import AsyncIterator

import pytest
import pyvips

from plushify_adapters.images import VipsImageCodec
from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryStore
from plushify_core import (
    DEFAULT_CATALOG,
    CreditsUseCase,
    GenerateUseCase,
    Generation,
    InvalidInput,
    Limits,
    ModelFacts,
    Reason,
)
from plushify_core.ports import Capabilities, ImageModel, ModelRequest, ModelResult
from tests import virtual_time
from tests.adapters import photos
from tests.in_memory import Ids

pytestmark = pytest.mark.anyio

LIMITS = Limits(max_upload_bytes=200_000)


class EchoModel(ImageModel):
    """Returns the photo it is sent, and keeps it."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    async def capabilities(self) -> Capabilities:
        """It is no artist."""
        return Capabilities(name="test/echo", title="Echo", largest_side_px=2048)

    async def generate(self, request: ModelRequest) -> ModelResult:
        """The photo."""
        photo = b"".join([chunk async for chunk in request.open_photo()])
        self.seen.append(photo)
        return ModelResult(data=photo, media_type=request.photo_media_type, facts=ModelFacts())


class Desk:
    """The use cases on the real codec, and the stores behind them."""

    def __init__(self) -> None:
        self.store, self.blobs, self.model = MemoryStore(), MemoryBlobStore(), EchoModel()
        clock, new_id, events = virtual_time.now, Ids(), MemoryEvents()
        self.credits = CreditsUseCase(store=self.store, events=events, clock=clock, new_id=new_id, limits=LIMITS)
        self.use_case = GenerateUseCase(
            store=self.store,
            blobs=self.blobs,
            codec=VipsImageCodec(),
            model=self.model,
            events=events,
            clock=clock,
            new_id=new_id,
            catalog=DEFAULT_CATALOG,
            limits=LIMITS,
        )

    async def generate(self, photo: bytes) -> Generation:
        """Make a plushie in the least quality."""
        return await self.use_case.generate("ann", photo, style="kawaii", quality="standard")

    async def books(self) -> tuple[int, list[int], int]:
        """The balance, what has moved, and how many generations there are."""
        statement = await self.credits.statement("ann")
        async with self.store.begin() as tx:
            generations = await tx.generations.count_unfinished("ann")
        balance = (await self.credits.ensure_subscription("ann")).balance
        return balance, [entry.amount for entry in statement.items], generations


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A desk at which Ann has her free credits."""
    desk = Desk()
    await desk.credits.ensure_subscription("ann")
    yield desk
    await desk.use_case.wait_for_cleanup()


BAD_UPLOADS: dict[str, tuple[Reason, bytes]] = {
    "empty": (Reason.IMAGE_EMPTY, b""),
    "truncated jpeg": (Reason.IMAGE_CORRUPT, photos.jpeg(300, 200)[:-2000]),
    "truncated png": (Reason.IMAGE_CORRUPT, photos.png(300, 200)[:-2000]),
    "truncated webp": (Reason.IMAGE_CORRUPT, photos.webp(300, 200)[:-2000]),
    "not an image": (Reason.UNSUPPORTED_IMAGE_FORMAT, bytes(range(256)) * 8),
    "a text file named .jpg": (Reason.UNSUPPORTED_IMAGE_FORMAT, b"holiday.jpg\nThis is what I did last summer.\n"),
    "an SVG": (
        Reason.UNSUPPORTED_IMAGE_FORMAT,
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"><script/></svg>',
    ),
    "an animated GIF": (Reason.IMAGE_ANIMATED, photos.animated("gif")),
    "an animated WebP": (Reason.IMAGE_ANIMATED, photos.animated("webp")),
    "an animated PNG": (Reason.IMAGE_ANIMATED, photos.animated("png")),
    "1 × 1": (Reason.IMAGE_TOO_SMALL, photos.png(1, 1)),
    "60,000 × 60,000 in a jpeg's header": (Reason.IMAGE_TOO_MANY_PIXELS, photos.huge_header("jpeg")),
    "60,000 × 60,000 in a png's header": (Reason.IMAGE_TOO_MANY_PIXELS, photos.huge_header("png")),
    "60,000 × 60,000 in a gif's header": (Reason.IMAGE_TOO_MANY_PIXELS, photos.huge_header("gif")),
    "over the limit": (Reason.IMAGE_TOO_LARGE, photos.jpeg() + bytes(LIMITS.max_upload_bytes)),
}


@pytest.mark.parametrize(("reason", "upload"), BAD_UPLOADS.values(), ids=BAD_UPLOADS)
async def test_bad_input_costs_nothing_and_says_what_is_wrong(desk: Desk, reason: Reason, upload: bytes) -> None:
    """The reason fits, no credit has moved, no byte is stored, and the model has not been asked."""
    before = await desk.books()

    with pytest.raises(InvalidInput) as refused:
        await desk.generate(upload)

    assert refused.value.reason is reason
    assert await desk.books() == before
    assert desk.blobs.blobs == {}
    assert desk.model.seen == []


async def test_a_good_photo_does_move_a_credit(desk: Desk) -> None:
    """The same look at the books sees the price of a picture."""
    before = await desk.books()

    await desk.generate(photos.jpeg())

    assert before == (3, [3], 0)
    assert await desk.books() == (2, [-1, 3], 0)
    assert len(desk.blobs.blobs) == 3


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_phone_photos_are_upright_and_clean_everywhere(desk: Desk, orientation: int) -> None:
    """The stored original, what the model sees, the picture and the thumbnail are upright and without metadata."""
    generation = await desk.generate(photos.phone_jpeg(orientation, width=60, height=40))

    written = {key.rpartition("/")[2]: data for key, (data, _) in desk.blobs.blobs.items()}
    assert set(written) == {"original", "generated", "thumbnail"}
    for data in (*written.values(), *desk.model.seen):
        image = pyvips.Image.new_from_buffer(data, "")
        assert (image.width, image.height) == (60, 40)
        assert photos.alike(photos.corners(data))
        assert [marker in data for marker in (photos.SECRET, b"Exif", b"http://ns.adobe.com", b"GPS")] == [False] * 4
    assert generation.original is not None
    assert (generation.original.width, generation.original.height) == (60, 40)
