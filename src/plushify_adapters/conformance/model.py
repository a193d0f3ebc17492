"""What every image model does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest

from plushify_core.domain.catalog import DEFAULT_CATALOG
from plushify_core.ports import EncodedImage, ImageCodec, ImageModel, ModelError, ModelRequest, ModelResult

LONGEST_SIDE_PX = 256
CHUNK_BYTES = 1000

OpenPhoto = Callable[[], AsyncIterator[bytes]]


class PhotoUnreadable(Exception):
    """The photo cannot be read: an error that no adapter knows."""


class ImageModelConformance:
    """The contract of `ImageModel`. A subclass sets `adapter` and supplies the fixtures that raise here."""

    adapter: ClassVar[type[ImageModel]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def model(self) -> ImageModel:
        """The model, with whatever it calls ready to answer with a picture."""
        raise NotImplementedError

    @pytest.fixture
    def codec(self) -> ImageCodec:
        """The codec with which the model is used."""
        raise NotImplementedError

    @pytest.fixture
    def photo(self) -> EncodedImage:
        """A sanitised photo, as that codec makes them."""
        raise NotImplementedError

    def test_is_the_declared_adapter(self, model: ImageModel) -> None:
        """The suite runs on the adapter that it says it runs on."""
        assert type(model) is self.adapter

    async def test_says_what_it_is(self, model: ImageModel) -> None:
        """A model has a name for programs, one for people, and draws something, and says so every time."""
        can = await model.capabilities()

        assert can.name.strip()
        assert can.title.strip()
        assert can.largest_side_px >= LONGEST_SIDE_PX
        assert await model.capabilities() == can

    @pytest.mark.parametrize("style", [style.id for style in DEFAULT_CATALOG.styles])
    async def test_draws_a_picture(self, model: ImageModel, codec: ImageCodec, photo: EncodedImage, style: str) -> None:
        """The answer is a picture that the codec reads, in every style, with its media type and plausible facts."""
        result = await model.generate(request_for(photo, style=style))

        picture = await codec.finish(result.data, longest_side_px=LONGEST_SIDE_PX)
        assert max(picture.generated.width, picture.generated.height) <= LONGEST_SIDE_PX
        assert result.media_type.startswith("image/")
        assert result.facts.attempts >= 1
        assert result.facts.cost_nano_usd is None or result.facts.cost_nano_usd >= 0
        assert result.facts.model

    async def test_reads_the_photo_that_is_opened(self, model: ImageModel, photo: EncodedImage) -> None:
        """The photo comes through `open_photo`, which is asked for one read at least."""
        opened: list[None] = []

        async def open_photo() -> AsyncIterator[bytes]:
            opened.append(None)
            async for chunk in in_chunks(photo.data):
                yield chunk

        await model.generate(request_for(photo, open_photo=open_photo))

        assert opened

    @pytest.mark.parametrize("chunks_before", [0, 1])
    async def test_an_unreadable_photo(self, model: ImageModel, photo: EncodedImage, chunks_before: int) -> None:
        """What `open_photo` raises, at once or in the middle, comes out as it was: the very exception."""
        error = PhotoUnreadable()

        async def open_photo() -> AsyncIterator[bytes]:
            chunks = in_chunks(photo.data)
            for _ in range(chunks_before):
                yield await anext(chunks)
            raise error

        with pytest.raises(PhotoUnreadable) as raised:
            await model.generate(request_for(photo, open_photo=open_photo))

        assert raised.value is error

    async def test_cancellation_ends_it(self, model: ImageModel, photo: EncodedImage) -> None:
        """A model that is cancelled while it reads the photo stops, and lets go of the photo."""
        reading, let_go = asyncio.Event(), asyncio.Event()

        async def open_photo() -> AsyncIterator[bytes]:
            yield photo.data[:CHUNK_BYTES]
            reading.set()
            try:
                await asyncio.Event().wait()
            finally:
                let_go.set()

        call = asyncio.create_task(model.generate(request_for(photo, open_photo=open_photo)))
        await asyncio.wait({call, asyncio.create_task(reading.wait())}, return_when=asyncio.FIRST_COMPLETED)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await let_go.wait()

    async def test_draws_on_after_a_cancellation(self, model: ImageModel, photo: EncodedImage) -> None:
        """A call that was given up, at whatever moment, does no harm to the next."""
        for steps in range(10):
            call = asyncio.create_task(model.generate(request_for(photo)))
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})

        assert (await model.generate(request_for(photo))).data

    async def test_many_at_once(self, model: ImageModel, codec: ImageCodec, photo: EncodedImage) -> None:
        """Calls side by side each get their picture."""
        results = await asyncio.gather(*(model.generate(request_for(photo)) for _ in range(4)))

        for result in results:
            await codec.finish(result.data, longest_side_px=LONGEST_SIDE_PX)

    @pytest.mark.parametrize("garbage", [b"", b"no photo at all", bytes(5000)], ids=["empty", "text", "zeros"])
    async def test_garbage_for_a_photo(self, model: ImageModel, photo: EncodedImage, garbage: bytes) -> None:
        """A photo that is none gives a `ModelError` or, from a model that does not look, a picture: nothing else."""
        request = request_for(photo, open_photo=lambda: in_chunks(garbage), size_bytes=len(garbage))

        outcome: ModelResult | ModelError
        try:
            outcome = await model.generate(request)
        except ModelError as error:
            outcome = error

        assert isinstance(outcome, ModelError) or outcome.data


def request_for(
    photo: EncodedImage, *, style: str = "classic", open_photo: OpenPhoto | None = None, size_bytes: int | None = None
) -> ModelRequest:
    """A request to draw `photo`, read through `open_photo` if it is given."""
    return ModelRequest(
        prompt=DEFAULT_CATALOG.style(style).prompt,
        style=style,
        photo_media_type=photo.media_type,
        photo_width=photo.width,
        photo_height=photo.height,
        photo_size_bytes=len(photo.data) if size_bytes is None else size_bytes,
        open_photo=open_photo or (lambda: in_chunks(photo.data)),
        longest_side_px=LONGEST_SIDE_PX,
        user="conformance",
        timeout_s=60.0,
    )


async def in_chunks(data: bytes) -> AsyncIterator[bytes]:
    """A photo as a blob store hands it out."""
    for start in range(0, len(data), CHUNK_BYTES):
        await asyncio.sleep(0)
        yield data[start : start + CHUNK_BYTES]
