"""Contract of every image model."""

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
    """Error that `open_photo` raises in a test. No adapter knows this class, so none can handle it."""


class ImageModelConformance:
    """Contract of `ImageModel`. A subclass sets `adapter` and overrides the fixtures that raise here.

    It overrides `model` if the adapter needs arguments.
    """

    adapter: ClassVar[type[ImageModel]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def model(self) -> ImageModel:
        """Return the model. The service that it calls must answer each request with a picture."""
        return self.adapter()

    @pytest.fixture
    def codec(self) -> ImageCodec:
        """Return the codec with which the model is used."""
        raise NotImplementedError

    @pytest.fixture
    def photo(self) -> EncodedImage:
        """Return a photo as that codec sanitises it."""
        raise NotImplementedError

    async def test_is_the_declared_adapter(self, model: ImageModel) -> None:
        """The suite runs on the adapter that it declares."""
        assert type(model) is self.adapter

    async def test_reports_its_capabilities(self, model: ImageModel) -> None:
        """A model reports a name, a title and a usable size, and the same each time."""
        capabilities = await model.capabilities()

        assert capabilities.name.strip()
        assert capabilities.title.strip()
        assert capabilities.largest_side_px >= LONGEST_SIDE_PX
        assert await model.capabilities() == capabilities

    @pytest.mark.parametrize("style", [style.id for style in DEFAULT_CATALOG.styles])
    async def test_draws_a_picture_in_every_style(
        self, model: ImageModel, codec: ImageCodec, photo: EncodedImage, style: str
    ) -> None:
        """A result is a picture that the codec can read, with a media type and plausible facts."""
        result = await model.generate(request_for(photo, style=style))

        picture = await codec.finish(result.data, longest_side_px=LONGEST_SIDE_PX)
        assert max(picture.generated.width, picture.generated.height) <= LONGEST_SIDE_PX
        assert result.media_type.startswith("image/")
        assert result.facts.attempts >= 1
        assert result.facts.cost_nano_usd is None or result.facts.cost_nano_usd >= 0
        assert result.facts.model

    async def test_reads_the_photo_through_open_photo(self, model: ImageModel, photo: EncodedImage) -> None:
        """The model calls `open_photo` at least once."""
        opened: list[None] = []

        async def open_photo() -> AsyncIterator[bytes]:
            opened.append(None)
            async for chunk in in_chunks(photo.data):
                yield chunk

        await model.generate(request_for(photo, open_photo=open_photo))

        assert opened

    @pytest.mark.parametrize("chunks_before", [0, 1])
    async def test_raises_the_error_of_open_photo_unchanged(
        self, model: ImageModel, photo: EncodedImage, chunks_before: int
    ) -> None:
        """An exception of `open_photo`, at its start or after a chunk, is raised unchanged."""
        error = PhotoUnreadable()

        async def open_photo() -> AsyncIterator[bytes]:
            chunks = in_chunks(photo.data)
            for _ in range(chunks_before):
                yield await anext(chunks)
            raise error

        with pytest.raises(PhotoUnreadable) as raised:
            await model.generate(request_for(photo, open_photo=open_photo))

        assert raised.value is error

    async def test_cancellation_stops_the_read_of_the_photo(self, model: ImageModel, photo: EncodedImage) -> None:
        """A call that is cancelled while it reads the photo raises the cancellation, and closes the photo."""
        reading, closed = asyncio.Event(), asyncio.Event()

        async def open_photo() -> AsyncIterator[bytes]:
            yield photo.data[:CHUNK_BYTES]
            reading.set()
            try:
                await asyncio.Event().wait()
            finally:
                closed.set()

        call = asyncio.create_task(model.generate(request_for(photo, open_photo=open_photo)))
        await asyncio.wait({call, asyncio.create_task(reading.wait())}, return_when=asyncio.FIRST_COMPLETED)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await closed.wait()

    async def test_works_after_cancelled_calls(self, model: ImageModel, photo: EncodedImage) -> None:
        """A call succeeds after calls that were cancelled at various moments."""
        for steps in range(10):
            call = asyncio.create_task(model.generate(request_for(photo)))
            for _ in range(steps):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait({call})

        assert (await model.generate(request_for(photo))).data

    async def test_supports_concurrent_calls(self, model: ImageModel, codec: ImageCodec, photo: EncodedImage) -> None:
        """Each of several concurrent calls returns a picture."""
        results = await asyncio.gather(*(model.generate(request_for(photo)) for _ in range(4)))

        for result in results:
            await codec.finish(result.data, longest_side_px=LONGEST_SIDE_PX)

    @pytest.mark.parametrize("garbage", [b"", b"no photo at all", bytes(5000)], ids=["empty", "text", "zeros"])
    async def test_a_broken_photo_gives_a_model_error_or_a_picture(
        self, model: ImageModel, photo: EncodedImage, garbage: bytes
    ) -> None:
        """Given bytes that are not a photo, a model raises `ModelError` or returns a picture without decoding them."""
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
    """Return a request to draw `photo`, which is read through `open_photo` if that is given."""
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
    """Yield the bytes of a photo in chunks, like a blob store."""
    for start in range(0, len(data), CHUNK_BYTES):
        await asyncio.sleep(0)
        yield data[start : start + CHUNK_BYTES]
