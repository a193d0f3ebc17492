"""Photos and pictures, read and written by libvips.

A file is decoded once, from top to bottom, and scaled on the way, so that a large photo is never whole in memory.
What is left is rows of sRGB bytes; every file is written from those alone and can carry nothing else.
"""

import asyncio
import base64
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import msgspec
import pyvips

from plushify_core.domain.errors import InvalidInput, Reason
from plushify_core.ports import EncodedImage, ImageCodec, Picture

T = TypeVar("T")

SMALLEST_SIDE_PX = 2
PLACEHOLDER_LONGEST_SIDE_PX = 16
PLACEHOLDER_WEBP_QUALITY = 40
CONCURRENCY = "vips-concurrency"
"""The metadata by which libvips takes the number of threads for one picture; its other switch is per process."""


class VipsImageCodec(ImageCodec):
    """Reads JPEG, PNG, WebP and GIF stills. Writes photos as JPEG, pictures as PNG, thumbnails as WebP.

    A picture is PNG because it is what somebody paid for and keeps: it loses nothing of what the model drew, and
    every program opens it. It is 3 times the size of a good JPEG; lists show the thumbnail instead.

    Args:
        original_longest_side_px: photos are scaled down to this, never up.
        original_jpeg_quality: of sanitised photos, 1 to 100. From 90 on, libvips keeps the colours in full
            resolution, which makes the file a third larger; no model needs that.
        thumbnail_longest_side_px: of thumbnails.
        thumbnail_webp_quality: of thumbnails, 1 to 100.
        max_answer_pixels: the largest picture that is taken from a model.
        max_threads: how many files are worked on at once.
        threads_per_file: how many threads libvips takes for one of them, for its own part.
    """

    def __init__(
        self,
        *,
        original_longest_side_px: int = 1536,
        original_jpeg_quality: int = 88,
        thumbnail_longest_side_px: int = 480,
        thumbnail_webp_quality: int = 80,
        max_answer_pixels: int = 50_000_000,
        max_threads: int = 2,
        threads_per_file: int = 1,
    ) -> None:
        self._original_longest_side_px = original_longest_side_px
        self._original_jpeg_quality = original_jpeg_quality
        self._thumbnail_longest_side_px = thumbnail_longest_side_px
        self._thumbnail_webp_quality = thumbnail_webp_quality
        self._max_answer_pixels = max_answer_pixels
        self._threads_per_file = threads_per_file
        self._threads = ThreadPoolExecutor(max_threads, thread_name_prefix="plushify-images")
        # libvips remembers its latest operations to use them again. No two uploads share one, and it would keep
        # their bytes in memory.
        pyvips.cache_set_max(0)

    async def sanitise(self, upload: bytes, *, max_pixels: int) -> EncodedImage:
        return await self._in_thread(lambda: self._sanitise(upload, max_pixels))

    async def finish(self, data: bytes, *, longest_side_px: int) -> Picture:
        return await self._in_thread(lambda: self._finish(data, longest_side_px))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def translated() -> T:
            with _errors_of_libvips():
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._threads, translated)

    def _sanitise(self, upload: bytes, max_pixels: int) -> EncodedImage:
        photo = self._read(upload, self._original_longest_side_px, max_pixels)
        return _encoded(photo, photo.jpegsave_buffer(Q=self._original_jpeg_quality, keep="none"), "image/jpeg")

    def _finish(self, data: bytes, longest_side_px: int) -> Picture:
        picture = self._read(data, longest_side_px, self._max_answer_pixels)
        thumbnail = self._pixels_of(_scaled(picture, self._thumbnail_longest_side_px))
        return Picture(
            # By measure on textures: half the time of compression 6 with all filters, for a file 7 % larger.
            generated=_encoded(picture, picture.pngsave_buffer(compression=3, filter="sub", keep="none"), "image/png"),
            # Effort 4 would take a third longer and save 5 %.
            thumbnail=_encoded(
                thumbnail,
                thumbnail.webpsave_buffer(Q=self._thumbnail_webp_quality, effort=2, keep="none"),
                "image/webp",
            ),
            placeholder=_placeholder(thumbnail),
        )

    def _read(self, data: bytes, longest_side_px: int, max_pixels: int) -> pyvips.Image:
        """The picture in a file: upright, opaque, sRGB, no longer than `longest_side_px`, and decoded."""
        file_format = _format_of(data)
        header = file_format.open(data)
        size = _fitted_size(header, longest_side_px)
        _check_header(file_format, data, header, size, max_pixels)
        image = file_format.open_smaller(data, header, max(header.width, header.height) / max(size)).copy()
        image.set_type(pyvips.GValue.gint_type, CONCURRENCY, self._threads_per_file)
        if image.hasalpha():
            image = image.flatten(background=65535 if image.format == "ushort" else 255)
        # Colours and orientation are seen to behind the scaling, where there are fewer pixels.
        image = _in_srgb(_resized(image, size)).copy_memory()
        return self._pixels_of(image.autorot())

    def _pixels_of(self, image: pyvips.Image) -> pyvips.Image:
        """The pixels of a picture and nothing else of it, computed once however often they are used."""
        pixels = image.write_to_memory()
        bare = pyvips.Image.new_from_memory(pixels, image.width, image.height, image.bands, image.format)
        bare = bare.copy(interpretation="srgb")
        bare.set_type(pyvips.GValue.gint_type, CONCURRENCY, self._threads_per_file)
        return bare


def _encoded(image: pyvips.Image, data: bytes, media_type: str) -> EncodedImage:
    return EncodedImage(data=data, media_type=media_type, width=image.width, height=image.height)


def _jpeg_at(shrink: int) -> dict[str, float]:
    return {"shrink": max(step for step in (1, 2, 4, 8) if step <= shrink)}


def _webp_at(shrink: int) -> dict[str, float]:
    return {"scale": 1 / shrink}


def _whole(shrink: int) -> dict[str, float]:
    return {}


class _Format(msgspec.Struct, frozen=True):
    """A kind of file: how it begins, the one loader that may read it, and what makes that decode less.

    libvips is never asked to choose a loader: it knows many, for formats (SVG, TIFF, FITS, …) that are no photos
    or that nobody hardens against an attacker.
    """

    name: str
    signature: re.Pattern[bytes]
    load: Callable[..., pyvips.Image]
    smaller: Callable[[int], dict[str, float]]

    def open(self, data: bytes, **options: float) -> pyvips.Image:
        """The picture, of which only the header has been read."""
        # "error" finds what is cut off. "warning" would refuse photos that some phones write and every program
        # shows, and a damaged JPEG still passes unless the damage looks like a marker: it has no checksums.
        return self.load(data, access="sequential", fail_on="error", **options)

    def open_smaller(self, data: bytes, whole: pyvips.Image, shrink: float) -> pyvips.Image:
        """The picture at 1 / `shrink` of its size or more: the least that its decoder can do for less work.

        By measure, against scaling the whole: a JPEG of 12 megapixels takes 0.6 of the time, a WebP of 50 takes
        30 MB of memory in place of 400, and the results differ by noise of 49 dB.
        """
        options = self.smaller(int(shrink)) if shrink >= 2 else {}
        return self.open(data, **options) if options else whole


_FORMATS = (
    _Format("jpeg", re.compile(rb"\xff\xd8\xff"), pyvips.Image.jpegload_buffer, _jpeg_at),
    _Format("png", re.compile(rb"\x89PNG\r\n\x1a\n"), pyvips.Image.pngload_buffer, _whole),
    _Format("webp", re.compile(rb"RIFF....WEBP", re.DOTALL), pyvips.Image.webpload_buffer, _webp_at),
    _Format("gif", re.compile(rb"GIF8[79]a"), pyvips.Image.gifload_buffer, _whole),
)


def _format_of(data: bytes) -> _Format:
    if not data:
        raise InvalidInput(Reason.IMAGE_EMPTY)
    for file_format in _FORMATS:
        if file_format.signature.match(data):
            return file_format
    raise InvalidInput(Reason.UNSUPPORTED_IMAGE_FORMAT)


def _check_header(
    file_format: _Format, data: bytes, header: pyvips.Image, size: tuple[int, int], max_pixels: int
) -> None:
    if header.width * header.height > max_pixels:
        raise InvalidInput(Reason.IMAGE_TOO_MANY_PIXELS)
    if min(size) < SMALLEST_SIDE_PX:
        raise InvalidInput(Reason.IMAGE_TOO_SMALL)
    if header.get_n_pages() > 1 or (file_format.name == "png" and _frames_of_png(data) > 1):
        raise InvalidInput(Reason.IMAGE_ANIMATED)


def _frames_of_png(data: bytes) -> int:
    """How many frames a PNG announces: libvips sees but the first.

    The chunk that says so comes before the pixels (https://www.w3.org/TR/png-3/#acTL-chunk).
    """
    control = data.find(b"acTL", 0, data.find(b"IDAT"))
    return int.from_bytes(data[control + 4 : control + 8]) if control >= 0 else 1


def _fitted_size(image: pyvips.Image, longest_side_px: int) -> tuple[int, int]:
    """Width and height in px when scaled down, never up, to a longest side."""
    scale = min(1.0, longest_side_px / max(image.width, image.height))
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


def _resized(image: pyvips.Image, size: tuple[int, int]) -> pyvips.Image:
    width, height = size
    if (image.width, image.height) == size:
        return image
    return image.resize(width / image.width, vscale=height / image.height)


def _scaled(image: pyvips.Image, longest_side_px: int) -> pyvips.Image:
    return _resized(image, _fitted_size(image, longest_side_px))


def _in_srgb(image: pyvips.Image) -> pyvips.Image:
    """In 8 bits of sRGB, from the colours that the file's profile means if it has one."""
    if image.get_typeof("icc-profile-data"):
        return image.icc_transform("srgb", embedded=True, depth=8)
    return image.colourspace("srgb")


def _placeholder(thumbnail: pyvips.Image) -> str:
    """A data URL of about 100 characters that a page can show, blurred, until it has the thumbnail."""
    dot = _scaled(thumbnail, PLACEHOLDER_LONGEST_SIDE_PX)
    data = dot.webpsave_buffer(Q=PLACEHOLDER_WEBP_QUALITY, keep="none")
    return f"data:image/webp;base64,{base64.b64encode(data).decode()}"


@contextmanager
def _errors_of_libvips() -> Iterator[None]:
    """Every error of libvips, in the one place where it is translated."""
    try:
        yield
    except pyvips.Error as error:
        raise InvalidInput(Reason.IMAGE_CORRUPT) from error
