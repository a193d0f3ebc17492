"""Tests of the libvips codec: the forms of photos that it reads, and the contents of the files that it writes."""

import asyncio
import threading

import pytest
import pyvips

from plushify_adapters.images import VipsImageCodec
from plushify_core.domain.errors import InvalidInput, Reason
from plushify_core.ports import EncodedImage
from tests.adapters import photos

pytestmark = pytest.mark.anyio

MAX_PIXELS = 50_000_000
WHITE = (255, 255, 255)


async def sanitised(data: bytes) -> EncodedImage:
    """Return the upload as the default codec sanitises it."""
    return await VipsImageCodec().sanitise(data, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_phone_photo_becomes_upright_and_loses_its_metadata(orientation: int) -> None:
    """Each EXIF orientation is applied, and all metadata is removed: GPS, artist, XMP, IPTC and comment."""
    upload = photos.phone_jpeg(orientation, width=60, height=40)
    assert pyvips.Image.new_from_buffer(upload, "").get("exif-ifd3-GPSLatitude").startswith("48/1 51/1 30/1")

    photo = await sanitised(upload)
    picture = await VipsImageCodec().finish(upload, longest_side_px=60)

    for data in (photo.data, picture.generated.data, picture.thumbnail.data):
        assert photos.alike(photos.corners(data))
        assert (pyvips.Image.new_from_buffer(data, "").width, pyvips.Image.new_from_buffer(data, "").height) == (60, 40)
        assert photos.SECRET not in data
    assert (photo.width, photo.height, picture.generated.width, picture.generated.height) == (60, 40, 60, 40)


@pytest.mark.parametrize("orientation", [6, 8])
async def test_the_longest_side_is_that_of_the_upright_photo(orientation: int) -> None:
    """A tall photo that is stored rotated is scaled to the limit by its height."""
    codec = VipsImageCodec(original_longest_side_px=100)

    photo = await codec.sanitise(photos.phone_jpeg(orientation, width=300, height=600), max_pixels=MAX_PIXELS)

    assert (photo.width, photo.height) == (50, 100)
    assert photos.alike(photos.corners(photo.data))


async def test_a_sanitised_photo_contains_only_pixels() -> None:
    """The JPEG consists only of the segments that every JPEG needs."""
    photo = await sanitised(photos.phone_jpeg(6))

    assert photo.media_type == "image/jpeg"
    assert set(jpeg_markers(photo.data)) == {0xDB, 0xC0, 0xC4, 0xDA}  # tables, frame, scan


async def test_a_picture_contains_only_pixels() -> None:
    """The picture is a PNG and its thumbnail a WebP, both without metadata."""
    picture = await VipsImageCodec().finish(photos.secretive("png", 600, 400), longest_side_px=512)

    assert picture.generated.media_type == "image/png"
    assert set(png_chunks(picture.generated.data)) <= {b"IHDR", b"pHYs", b"IDAT", b"IEND"}
    assert picture.thumbnail.media_type == "image/webp"
    thumbnail = picture.thumbnail.data
    assert thumbnail[:4] + thumbnail[8:16] == b"RIFFWEBPVP8 "  # the simple file format, which has no metadata
    assert (picture.generated.width, picture.thumbnail.width, picture.thumbnail.height) == (512, 480, 320)


@pytest.mark.parametrize("name", photos.strange())
async def test_unusual_photos_keep_their_colours(name: str) -> None:
    """Photos of any depth, palette, colour space or profile become 8-bit sRGB that looks the same."""
    photo = await sanitised(photos.strange()[name])

    image = pyvips.Image.new_from_buffer(photo.data, "")
    assert (image.bands, image.format, image.interpretation) == (3, "uchar", "srgb")
    # CMYK cannot represent all colours of sRGB.
    tolerance = 120 if name.startswith("cmyk") else 24
    assert photos.alike(photos.corners(photo.data), tolerance=tolerance)


@pytest.mark.parametrize("name", photos.grey())
async def test_grey_stays_grey(name: str) -> None:
    """A greyscale photo becomes an sRGB photo in the same grey."""
    photo = await sanitised(photos.grey()[name])

    assert photos.alike(photos.corners(photo.data), ((100, 100, 100),) * 4, tolerance=3)
    assert pyvips.Image.new_from_buffer(photo.data, "").bands == 3


@pytest.mark.parametrize("kind", ["png", "16-bit png", "webp", "gif"])
async def test_transparency_becomes_white(kind: str) -> None:
    """Transparent pixels become white, although black is stored in them."""
    photo = await sanitised(photos.transparent(kind))

    assert photos.alike(photos.corners(photo.data), (photos.RED, WHITE, photos.BLUE, WHITE))


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.3, 4.0, 9.0])
@pytest.mark.parametrize("kind", photos.PLAIN)
async def test_scaling_is_exact(kind: str, ratio: float) -> None:
    """The longest side is exactly the limit, whether or not the decoder reduces the photo itself."""
    codec = VipsImageCodec(original_longest_side_px=100)

    photo = await codec.sanitise(photos.PLAIN[kind](round(100 * ratio), round(75 * ratio)), max_pixels=MAX_PIXELS)

    assert (photo.width, photo.height) == (100, 75)
    assert photos.alike(photos.corners(photo.data))


async def test_refuses_a_photo_that_scaling_makes_too_thin() -> None:
    """A photo is too small if its shorter side is under 2 px after scaling."""
    codec = VipsImageCodec(original_longest_side_px=100)

    with pytest.raises(InvalidInput) as refused:
        await codec.sanitise(photos.png(600, 3), max_pixels=MAX_PIXELS)

    assert refused.value.reason is Reason.IMAGE_TOO_SMALL


@pytest.mark.parametrize("kind", photos.PLAIN)
@pytest.mark.parametrize("length", [4, 12, 20, 60])
async def test_refuses_a_file_that_ends_in_its_header(kind: str, length: int) -> None:
    """A file that ends within its header is refused as corrupt or as an unsupported format."""
    with pytest.raises(InvalidInput) as refused:
        await sanitised(photos.PLAIN[kind](60, 40)[:length])

    assert refused.value.reason in (Reason.IMAGE_CORRUPT, Reason.UNSUPPORTED_IMAGE_FORMAT)


async def test_refuses_a_png_with_a_wrong_checksum() -> None:
    """A PNG with a flipped bit is refused as corrupt."""
    data = bytearray(photos.png(200, 150))
    data[len(data) // 2] ^= 0x10

    with pytest.raises(InvalidInput) as refused:
        await sanitised(bytes(data))

    assert refused.value.reason is Reason.IMAGE_CORRUPT


@pytest.mark.parametrize("suffix", [".tif", ".avif"])
async def test_refuses_other_formats_that_libvips_can_read(suffix: str) -> None:
    """A TIFF and an AVIF are unsupported, although libvips can read them."""
    with pytest.raises(InvalidInput) as refused:
        await sanitised(photos.picture(60, 40).write_to_buffer(suffix))

    assert refused.value.reason is Reason.UNSUPPORTED_IMAGE_FORMAT


async def test_accepts_an_animated_png_with_one_frame() -> None:
    """An animation with a single frame counts as a still photo."""
    photo = await sanitised(photos.animated("png", frames=1))

    assert (photo.width, photo.height) == (60, 40)


async def test_limits_the_files_processed_at_once() -> None:
    """At most `max_threads` photos are processed at the same time, none of them in the thread of the event loop."""
    codec = CountingCodec(max_threads=2)

    await asyncio.gather(*(codec.sanitise(photos.jpeg(300, 200), max_pixels=MAX_PIXELS) for _ in range(12)))

    assert codec.most_at_once == 2
    assert threading.get_ident() not in codec.threads


class CountingCodec(VipsImageCodec):
    """Codec that counts the calls inside `_read`.

    A call leaves only when there are two, so that the count does not depend on timing.
    """

    def __init__(self, *, max_threads: int) -> None:
        super().__init__(max_threads=max_threads)
        self.threads: set[int] = set()
        self.most_at_once = 0
        self._inside = 0
        self._lock = threading.Lock()
        self._together = threading.Barrier(2)

    def _read(self, data: bytes, longest_side_px: int, max_pixels: int) -> pyvips.Image:
        with self._lock:
            self.threads.add(threading.get_ident())
            self._inside += 1
            self.most_at_once = max(self.most_at_once, self._inside)
        self._together.wait()
        try:
            return super()._read(data, longest_side_px, max_pixels)
        finally:
            with self._lock:
                self._inside -= 1


def jpeg_markers(data: bytes) -> list[int]:
    """Return the markers of the segments of a JPEG up to its pixels."""
    at, markers = 2, []
    while not markers or markers[-1] != 0xDA:
        markers.append(data[at + 1])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return markers


def png_chunks(data: bytes) -> list[bytes]:
    """Return the names of the chunks of a PNG."""
    at, names = 8, []
    while at < len(data):
        names.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4])
    return names
