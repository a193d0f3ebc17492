"""Tests of uploads through the whole use case, with the real codec."""

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
    """Image model that returns the photo it receives, and records it."""

    def __init__(self) -> None:
        self.received: list[bytes] = []

    async def capabilities(self) -> Capabilities:
        """Return a model with pictures of up to 2048 px."""
        return Capabilities(name="test/echo", title="Echo", largest_side_px=2048)

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Return the photo unchanged."""
        photo = b"".join([chunk async for chunk in request.open_photo()])
        self.received.append(photo)
        return ModelResult(data=photo, media_type=request.photo_media_type, facts=ModelFacts())


class Service:
    """The use cases with the real codec, in-memory stores and the echo model."""

    def __init__(self) -> None:
        self.store, self.blobs, self.model = MemoryStore(), MemoryBlobStore(), EchoModel()
        clock, new_id, events = virtual_time.now, Ids(), MemoryEvents()
        self.credits = CreditsUseCase(store=self.store, events=events, new_id=new_id, limits=LIMITS)
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
        """Generate a picture for Ann in the smallest quality."""
        return await self.use_case.generate("ann", photo, style="kawaii", quality="standard")

    async def ledger_state(self) -> tuple[int, list[int], int]:
        """Return Ann's balance, the amounts of her ledger entries, and the number of her unfinished generations."""
        statement = await self.credits.statement("ann")
        async with self.store.begin() as tx:
            unfinished = await tx.generations.count_unfinished("ann")
        balance = (await self.credits.ensure_subscription("ann")).balance
        return balance, [entry.amount for entry in statement.items], unfinished


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """Return a service in which Ann has her free credits."""
    service = Service()
    await service.credits.ensure_subscription("ann")
    yield service
    await service.use_case.wait_for_cleanup()


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
async def test_bad_input_costs_nothing_and_says_what_is_wrong(service: Service, reason: Reason, upload: bytes) -> None:
    """The error has the expected reason, no credit moves, no byte is stored, and the model is not called."""
    before = await service.ledger_state()

    with pytest.raises(InvalidInput) as refused:
        await service.generate(upload)

    assert refused.value.reason is reason
    assert await service.ledger_state() == before
    assert service.blobs.blobs == {}
    assert service.model.received == []


async def test_a_valid_photo_costs_a_credit(service: Service) -> None:
    """A generation from a valid photo takes one credit and stores three files."""
    before = await service.ledger_state()

    await service.generate(photos.jpeg())

    assert before == (3, [3], 0)
    assert await service.ledger_state() == (2, [-1, 3], 0)
    assert len(service.blobs.blobs) == 3


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_phone_photos_are_upright_and_without_metadata_everywhere(service: Service, orientation: int) -> None:
    """Every stored file, and the photo that the model receives, is upright and without metadata."""
    generation = await service.generate(photos.phone_jpeg(orientation, width=60, height=40))

    written = {key.rpartition("/")[2]: data for key, (data, _) in service.blobs.blobs.items()}
    assert set(written) == {"original", "generated", "thumbnail"}
    for data in (*written.values(), *service.model.received):
        image = pyvips.Image.new_from_buffer(data, "")
        assert (image.width, image.height) == (60, 40)
        assert photos.alike(photos.corners(data))
        assert [marker in data for marker in (photos.SECRET, b"Exif", b"http://ns.adobe.com", b"GPS")] == [False] * 4
    assert generation.original is not None
    assert (generation.original.width, generation.original.height) == (60, 40)
