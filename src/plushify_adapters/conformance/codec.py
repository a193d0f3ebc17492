"""Contract of every image codec."""

import asyncio
import base64
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from plushify_core.domain.errors import InvalidInput, Reason
from plushify_core.ports import ImageCodec, Picture

SECRET = b"SECRET-METADATA"
MAX_PIXELS = 1_000_000
MAX_PLACEHOLDER_CHARS = 300

MakePhoto = Callable[[int, int], bytes]


class ImageCodecConformance:
    """Contract of `ImageCodec`. A subclass sets `adapter` and overrides the fixtures that raise here.

    It overrides `codec` if the adapter needs arguments.
    """

    adapter: ClassVar[type[ImageCodec]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def codec(self) -> ImageCodec:
        """Return the codec."""
        return self.adapter()

    @pytest.fixture
    def photo(self) -> MakePhoto:
        """Return a function that makes a photo of a width and height in px, in a format that the codec reads."""
        raise NotImplementedError

    @pytest.fixture
    def animated(self) -> bytes:
        """Return a file with more than one picture."""
        raise NotImplementedError

    @pytest.fixture
    def secretive(self) -> bytes:
        """Return a photo of 40 × 30 px with `SECRET` in its metadata."""
        raise NotImplementedError

    @pytest.fixture
    def huge_header(self) -> bytes:
        """Return a small file whose header declares 60000 × 60000 px."""
        raise NotImplementedError

    async def test_is_the_declared_adapter(self, codec: ImageCodec) -> None:
        """The suite runs on the adapter that it declares."""
        assert type(codec) is self.adapter

    async def test_sanitise_keeps_the_size_and_can_be_repeated(self, codec: ImageCodec, photo: MakePhoto) -> None:
        """A sanitised photo has the size of the upload, and can be sanitised again."""
        once = await codec.sanitise(photo(40, 30), max_pixels=MAX_PIXELS)
        again = await codec.sanitise(once.data, max_pixels=MAX_PIXELS)

        assert (once.width, once.height) == (40, 30)
        assert (again.width, again.height, again.media_type) == (40, 30, once.media_type)
        assert once.media_type.startswith("image/")

    async def test_results_are_deterministic(self, codec: ImageCodec, photo: MakePhoto) -> None:
        """The same file gives the same bytes each time."""
        photos = [await codec.sanitise(photo(40, 30), max_pixels=MAX_PIXELS) for _ in range(2)]
        pictures = [await codec.finish(photo(40, 30), longest_side_px=20) for _ in range(2)]

        assert photos[0] == photos[1]
        assert pictures[0] == pictures[1]

    async def test_removes_all_metadata(self, codec: ImageCodec, secretive: bytes) -> None:
        """No result contains the metadata of the file."""
        assert SECRET in secretive

        photo = await codec.sanitise(secretive, max_pixels=MAX_PIXELS)
        picture = await codec.finish(secretive, longest_side_px=1024)

        written = (photo.data, picture.generated.data, picture.thumbnail.data, placeholder_bytes(picture))
        assert [SECRET in data for data in written] == [False] * 4

    async def test_refuses_an_empty_file(self, codec: ImageCodec) -> None:
        """An empty upload is refused."""
        await refuses(codec, b"", Reason.IMAGE_EMPTY)

    @pytest.mark.parametrize(
        "data",
        [
            b"x",
            b"this is a text\n" * 100,
            bytes(1000),
            b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/></svg>',
            b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
            b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
            b"%!PS-Adobe-3.0 EPSF-3.0\n",
            b"push graphic-context\nviewbox 0 0 640 480\nfill 'url(https://example.com/)'\npop graphic-context",
        ],
        ids=["byte", "text", "zeros", "svg", "svg-in-xml", "pdf", "postscript", "magick-vector-graphics"],
    )
    async def test_refuses_files_that_are_not_photos(self, codec: ImageCodec, data: bytes) -> None:
        """Text, documents and vector graphics are refused because of their bytes."""
        await refuses(codec, data, Reason.UNSUPPORTED_IMAGE_FORMAT)

    async def test_refuses_several_pictures(self, codec: ImageCodec, animated: bytes) -> None:
        """A file with several pictures is refused."""
        await refuses(codec, animated, Reason.IMAGE_ANIMATED)

    @pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1)])
    async def test_refuses_a_side_of_one_pixel(
        self, codec: ImageCodec, photo: MakePhoto, size: tuple[int, int]
    ) -> None:
        """A photo with a side of 1 px is refused."""
        await refuses(codec, photo(*size), Reason.IMAGE_TOO_SMALL)

    async def test_enforces_the_pixel_limit(self, codec: ImageCodec, photo: MakePhoto) -> None:
        """A photo of exactly `max_pixels` is accepted, and one with more pixels is refused."""
        data = photo(40, 30)

        assert (await codec.sanitise(data, max_pixels=1200)).width == 40
        with pytest.raises(InvalidInput) as refused:
            await codec.sanitise(data, max_pixels=1199)
        assert refused.value.reason is Reason.IMAGE_TOO_MANY_PIXELS

    async def test_checks_the_pixel_limit_before_decoding(self, codec: ImageCodec, huge_header: bytes) -> None:
        """A huge picture is refused because of its header, without time or memory for its pixels."""
        await refuses(codec, huge_header, Reason.IMAGE_TOO_MANY_PIXELS)

    @pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
    async def test_refuses_a_truncated_photo(self, codec: ImageCodec, photo: MakePhoto, kept: float) -> None:
        """A truncated photo is refused as corrupt, no matter where it ends."""
        whole = photo(200, 150)

        await refuses(codec, whole[: int(len(whole) * kept)], Reason.IMAGE_CORRUPT)

    @pytest.mark.parametrize(
        ("longest_side_px", "expected"), [(1024, (400, 300)), (400, (400, 300)), (100, (100, 75)), (64, (64, 48))]
    )
    async def test_finish_scales_down_and_never_up(
        self, codec: ImageCodec, photo: MakePhoto, longest_side_px: int, expected: tuple[int, int]
    ) -> None:
        """A larger picture is scaled down to the longest side, and a smaller one keeps its size."""
        picture = await codec.finish(photo(400, 300), longest_side_px=longest_side_px)

        assert (picture.generated.width, picture.generated.height) == expected
        assert await size_of(codec, picture.generated.data) == expected

    async def test_finish_makes_a_thumbnail(self, codec: ImageCodec, photo: MakePhoto) -> None:
        """A thumbnail has the stated size and the same aspect ratio, and is never larger than the picture."""
        picture = await codec.finish(photo(800, 600), longest_side_px=2000)
        small = await codec.finish(photo(4, 3), longest_side_px=2000)

        thumbnail_size = (picture.thumbnail.width, picture.thumbnail.height)
        assert await size_of(codec, picture.thumbnail.data) == thumbnail_size
        assert picture.thumbnail.width * 3 == picture.thumbnail.height * 4
        assert picture.thumbnail.width < picture.generated.width
        assert (small.thumbnail.width, small.thumbnail.height) == (4, 3)

    async def test_finish_makes_a_placeholder(self, codec: ImageCodec, photo: MakePhoto) -> None:
        """A placeholder is a short data URL."""
        picture = await codec.finish(photo(400, 300), longest_side_px=400)

        assert picture.placeholder.startswith("data:image/")
        assert len(picture.placeholder) <= MAX_PLACEHOLDER_CHARS
        assert placeholder_bytes(picture)

    async def test_finish_refuses_bytes_that_are_not_a_picture(self, codec: ImageCodec, photo: MakePhoto) -> None:
        """`finish` refuses empty, textual, truncated and tiny answers of a model."""
        whole = photo(200, 150)
        for data in (b"", b"Sorry, I cannot draw this.", whole[: len(whole) // 2], photo(1, 1)):
            with pytest.raises(InvalidInput):
                await codec.finish(data, longest_side_px=1024)

    async def test_concurrent_calls_do_not_mix(self, codec: ImageCodec, photo: MakePhoto) -> None:
        """Each of several concurrent calls gets the result or the error of its own file."""
        sizes = [(20 + number, 10 + number) for number in range(20)]

        async def sanitised(width: int, height: int) -> tuple[int, int] | Reason:
            data = photo(width, height)
            try:
                result = await codec.sanitise(data[: len(data) // 2] if width % 2 else data, max_pixels=MAX_PIXELS)
            except InvalidInput as error:
                return error.reason
            return result.width, result.height

        results = await asyncio.gather(*(sanitised(*size) for size in sizes))

        assert results == [Reason.IMAGE_CORRUPT if size[0] % 2 else size for size in sizes]


async def refuses(codec: ImageCodec, upload: bytes, reason: Reason) -> None:
    """Assert that the codec refuses this upload for this reason."""
    with pytest.raises(InvalidInput) as refused:
        await codec.sanitise(upload, max_pixels=MAX_PIXELS)
    assert refused.value.reason is reason


async def size_of(codec: ImageCodec, data: bytes) -> tuple[int, int]:
    """Return the width and height of a picture, in px."""
    picture = await codec.finish(data, longest_side_px=100_000)
    return picture.generated.width, picture.generated.height


def placeholder_bytes(picture: Picture) -> bytes:
    """Return the bytes of the placeholder."""
    return base64.b64decode(picture.placeholder.partition(";base64,")[2], validate=True)
