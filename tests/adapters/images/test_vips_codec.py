"""What libvips makes of photos in every form, and what the files hold that it writes."""

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
    """The photo as the default codec makes it safe."""
    return await VipsImageCodec().sanitise(data, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("orientation", range(1, 9))
async def test_a_phone_photo_comes_out_upright_and_clean(orientation: int) -> None:
    """Each of the eight EXIF orientations is applied and gone, and so are position, artist, XMP, IPTC and comment."""
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
    """A tall photo that is stored lying is scaled to its limit, and stays tall."""
    codec = VipsImageCodec(original_longest_side_px=100)

    photo = await codec.sanitise(photos.phone_jpeg(orientation, width=300, height=600), max_pixels=MAX_PIXELS)

    assert (photo.width, photo.height) == (50, 100)
    assert photos.alike(photos.corners(photo.data))


async def test_a_sanitised_photo_has_nothing_but_pixels() -> None:
    """The file is made of the segments that a JPEG can't do without."""
    photo = await sanitised(photos.phone_jpeg(6))

    assert photo.media_type == "image/jpeg"
    assert set(jpeg_markers(photo.data)) == {0xDB, 0xC0, 0xC4, 0xDA}  # tables, frame, scan


async def test_a_picture_has_nothing_but_pixels() -> None:
    """A picture is a PNG, its thumbnail a WebP, of nothing but header, pixels and end."""
    picture = await VipsImageCodec().finish(photos.secretive("png", 600, 400), longest_side_px=512)

    assert picture.generated.media_type == "image/png"
    assert set(png_chunks(picture.generated.data)) <= {b"IHDR", b"pHYs", b"IDAT", b"IEND"}
    assert picture.thumbnail.media_type == "image/webp"
    assert (
        picture.thumbnail.data[:4] + picture.thumbnail.data[8:16] == b"RIFFWEBPVP8 "
    )  # the simple form: it has no metadata
    assert (picture.generated.width, picture.thumbnail.width, picture.thumbnail.height) == (512, 480, 320)


@pytest.mark.parametrize("name", photos.strange())
async def test_strange_photos_keep_their_colours(name: str) -> None:
    """Whatever the depth, palette, colour space or profile, it comes out as three bytes of sRGB that look the same."""
    photo = await sanitised(photos.strange()[name])

    image = pyvips.Image.new_from_buffer(photo.data, "")
    assert (image.bands, image.format, image.interpretation) == (3, "uchar", "srgb")
    # Paper cannot show all colours of a screen.
    tolerance = 120 if name.startswith("cmyk") else 24
    assert photos.alike(photos.corners(photo.data), tolerance=tolerance)


@pytest.mark.parametrize("name", photos.grey())
async def test_grey_stays_grey(name: str) -> None:
    """A photo without colours gets none."""
    photo = await sanitised(photos.grey()[name])

    assert photos.alike(photos.corners(photo.data), ((100, 100, 100),) * 4, tolerance=3)
    assert pyvips.Image.new_from_buffer(photo.data, "").bands == 3


@pytest.mark.parametrize("kind", ["png", "16-bit png", "webp", "gif"])
async def test_transparency_gets_a_white_ground(kind: str) -> None:
    """Where there is nothing, the paper is seen."""
    photo = await sanitised(photos.transparent(kind))

    assert photos.alike(photos.corners(photo.data), (photos.RED, WHITE, photos.BLUE, WHITE))


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.3, 4.0, 9.0])
@pytest.mark.parametrize("kind", photos.PLAIN)
async def test_scaling_is_exact(kind: str, ratio: float) -> None:
    """Photos have exactly the limit for their longest side, however their decoder can help with that."""
    codec = VipsImageCodec(original_longest_side_px=100)

    photo = await codec.sanitise(photos.PLAIN[kind](round(100 * ratio), round(75 * ratio)), max_pixels=MAX_PIXELS)

    assert (photo.width, photo.height) == (100, 75)
    assert photos.alike(photos.corners(photo.data))


async def test_a_sliver_is_too_small() -> None:
    """A photo that is too thin for its length is refused, as it would have no thickness left."""
    codec = VipsImageCodec(original_longest_side_px=100)

    with pytest.raises(InvalidInput) as refused:
        await codec.sanitise(photos.png(600, 3), max_pixels=MAX_PIXELS)

    assert refused.value.reason is Reason.IMAGE_TOO_SMALL


@pytest.mark.parametrize("kind", photos.PLAIN)
@pytest.mark.parametrize("length", [4, 12, 20, 60])
async def test_a_header_alone_is_no_photo(kind: str, length: int) -> None:
    """A file that ends within its header is refused, for a reason that fits."""
    with pytest.raises(InvalidInput) as refused:
        await sanitised(photos.PLAIN[kind](60, 40)[:length])

    assert refused.value.reason in (Reason.IMAGE_CORRUPT, Reason.UNSUPPORTED_IMAGE_FORMAT)


async def test_png_pixels_are_checked() -> None:
    """A PNG with a flipped bit is found by its checksum."""
    data = bytearray(photos.png(200, 150))
    data[len(data) // 2] ^= 0x10

    with pytest.raises(InvalidInput) as refused:
        await sanitised(bytes(data))

    assert refused.value.reason is Reason.IMAGE_CORRUPT


@pytest.mark.parametrize("suffix", [".tif", ".avif"])
async def test_formats_that_libvips_could_read_are_not_read(suffix: str) -> None:
    """libvips knows many formats; those that are not asked for stay out."""
    with pytest.raises(InvalidInput) as refused:
        await sanitised(photos.picture(60, 40).write_to_buffer(suffix))

    assert refused.value.reason is Reason.UNSUPPORTED_IMAGE_FORMAT


async def test_a_png_of_one_frame_is_still() -> None:
    """An animation of a single frame is a photo."""
    photo = await sanitised(photos.animated("png", frames=1))

    assert (photo.width, photo.height) == (60, 40)


async def test_at_most_so_many_files_at_once() -> None:
    """However many photos come in, only `max_threads` are worked on, none of them in the event loop's thread."""
    codec = CountingCodec(max_threads=2)

    await asyncio.gather(*(codec.sanitise(photos.jpeg(300, 200), max_pixels=MAX_PIXELS) for _ in range(12)))

    assert codec.most_at_once == 2
    assert threading.get_ident() not in codec.threads


class CountingCodec(VipsImageCodec):
    """Counts who is in `_read`, and lets nobody out before there are two, so that the count cannot be luck."""

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
    """The markers of the segments of a JPEG up to its pixels."""
    at, markers = 2, []
    while not markers or markers[-1] != 0xDA:
        markers.append(data[at + 1])
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return markers


def png_chunks(data: bytes) -> list[bytes]:
    """The names of the chunks of a PNG."""
    at, names = 8, []
    while at < len(data):
        names.append(data[at + 4 : at + 8])
        at += 12 + int.from_bytes(data[at : at + 4])
    return names
