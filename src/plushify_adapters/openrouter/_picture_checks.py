"""Checks that tell a drawn picture from a blank or broken one. They read the file format, without an image library."""

import re
import zlib
from collections.abc import Iterator

from plushify_adapters.openrouter._picture_size import jpeg_frame, picture_size, sniff_media_type

MAX_PIXELS = 50_000_000
"""Number of pixels above which no application decodes the picture."""

_BLANK_PIXELS = 4
_MAX_SIDE = 16_384
_PNG_HEADER_BYTES = 33  # signature and IHDR
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # samples per pixel by colour type
_PNG_DEPTHS = {1, 2, 4, 8, 16}
_INFLATED_BYTES = 64 * 1024
_JPEG_MARKER = re.compile(rb"\xff[^\0]")
_JPEG_LONGEST_PERIOD = 64
_JPEG_FIRST_UNIT_BYTES = 8  # the first unit has the colour, and every other one repeats it
_COMPACT_MIN_PIXELS = 128 * 128
_COMPACT_OVERHEAD_BYTES = 400
_COMPACT_BITS_PER_PIXEL = 0.02  # a flat picture has less, and a drawn one several times as much


def is_blank(picture: bytes) -> bool:
    """Return whether a picture is too small to show anything, or has a single colour.

    A single colour is recognised exactly in a PNG, and by its extreme compression in the other
    formats. A picture whose header cannot be read is not blank.
    """
    if (size := picture_size(picture)) is None:
        return False
    width, height = size
    if min(size) <= 1 or width * height <= _BLANK_PIXELS:
        return True
    if max(size) > _MAX_SIDE or width * height > MAX_PIXELS:
        return False
    match sniff_media_type(picture):
        case "image/png":
            return _is_flat_png(picture, width, height)
        case "image/jpeg":
            return _is_flat_jpeg(picture)
        case _:
            bits = max(0, len(picture) - _COMPACT_OVERHEAD_BYTES) * 8
            return width * height >= _COMPACT_MIN_PIXELS and bits < _COMPACT_BITS_PER_PIXEL * width * height


def is_complete(picture: bytes) -> bool:
    """Return whether a picture is whole, as far as its file format tells: its end is there, and its checksums fit."""
    match sniff_media_type(picture):
        case "image/png":
            kinds = [kind for kind, _ in _png_chunks(picture)]
            return kinds[-1:] == [b"IEND"] and b"IDAT" in kinds
        case "image/jpeg":
            frame = jpeg_frame(picture)
            return frame is not None and picture.rfind(b"\xff\xd9", frame) > 0
        case "image/webp":
            return len(picture) >= 8 + int.from_bytes(picture[4:8], "little")
        case "image/gif":
            return b"\0;" in picture[-8:]
        case _:
            return False


def _png_chunks(picture: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the kind and the content of each chunk, up to the last one or the first broken one."""
    view, position, kind = memoryview(picture), 8, b""
    while position + 12 <= len(picture) and kind != b"IEND":
        kind = picture[position + 4 : position + 8]
        end = position + 8 + int.from_bytes(picture[position : position + 4], "big")
        if end + 4 > len(picture) or zlib.crc32(view[position + 4 : end]) != int.from_bytes(
            picture[end : end + 4], "big"
        ):
            return
        yield kind, view[position + 8 : end]
        position = end + 4


def _is_flat_png(picture: bytes, width: int, height: int) -> bool:
    """Return whether all pixels are the same, by comparing each row with that of the colour of the first pixel.

    Source: https://www.w3.org/TR/png-3/#9Filters
    """
    if len(picture) < _PNG_HEADER_BYTES:
        return False
    depth, colour_type, interlaced = picture[24], picture[25], picture[28]
    if depth not in _PNG_DEPTHS or colour_type not in _PNG_SAMPLES:
        return False
    pixel_bits = depth * _PNG_SAMPLES[colour_type]
    colour = b""
    expected: dict[tuple[int, bool, int], bytes] = {}
    rows = _PngRows(picture)
    for columns, lines in _interlaced_sizes(width, height) if interlaced else [(width, height)]:
        row_bytes, whole_bytes = (columns * pixel_bits + 7) // 8, columns * pixel_bits // 8
        for line in range(lines):
            row = rows.read(1 + row_bytes)
            if len(row) <= row_bytes:
                return False
            if not colour:
                colour = row[1 : 1 + max(1, pixel_bits // 8)]
                if depth < 8 and colour[0] != (colour[0] >> 8 - depth) * (255 // (2**depth - 1)):
                    return False
            kind = columns, line == 0, row[0]
            if kind not in expected:
                if (filtered := _filtered_row(colour, row_bytes, row[0], line == 0)) is None:
                    return False
                expected[kind] = filtered[:whole_bytes]  # the rest of the last byte may have any value
            if row[1 : 1 + whole_bytes] != expected[kind]:
                return False
    return True


def _interlaced_sizes(width: int, height: int) -> list[tuple[int, int]]:
    """Return the width and height of each pass of an interlaced PNG that has pixels."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    sizes = (
        ((width - left + step_x - 1) // step_x, (height - top + step_y - 1) // step_y)
        for left, top, step_x, step_y in passes
    )
    return [(columns, lines) for columns, lines in sizes if columns > 0 and lines > 0]


def _filtered_row(colour: bytes, row_bytes: int, method: int, first: bool) -> bytes | None:
    """Return a row of one colour as a PNG filter stores it, below a row of the same colour unless it is the first."""
    pixels, zeros = row_bytes // len(colour), bytes(len(colour))
    half = bytes(value - value // 2 for value in colour)
    match method:
        case 0:
            return colour * pixels
        case 1:
            return colour + zeros * (pixels - 1)
        case 2:
            return (colour if first else zeros) * pixels
        case 3 if first:
            return colour + half * (pixels - 1)
        case 3:
            return half + zeros * (pixels - 1)
        case 4:
            return (colour if first else zeros) + zeros * (pixels - 1)
        case _:
            return None


class _PngRows:
    """Reader of the filtered rows of a PNG, which inflates little more than is read."""

    def __init__(self, picture: bytes) -> None:
        self._chunks = _inflated(picture)
        self._pending = b""

    def read(self, size: int) -> bytes:
        """Return the next bytes, or fewer at the end or at a broken chunk."""
        while len(self._pending) < size and (chunk := next(self._chunks, b"")):
            self._pending += chunk
        row, self._pending = self._pending[:size], self._pending[size:]
        return row


def _inflated(picture: bytes) -> Iterator[bytes]:
    inflater = zlib.decompressobj()
    for kind, content in _png_chunks(picture):
        data: bytes | memoryview = content if kind == b"IDAT" else b""
        pending = False
        while data or pending:
            try:
                inflated = inflater.decompress(data, _INFLATED_BYTES)
            except zlib.error:
                return
            data, pending = inflater.unconsumed_tail, len(inflated) == _INFLATED_BYTES
            if inflated:
                yield inflated


def _is_flat_jpeg(picture: bytes) -> bool:
    """Return whether the pixels of a JPEG are one sequence of bits, repeated to the end of the first scan."""
    frame = jpeg_frame(picture)
    scan = picture.find(b"\xff\xda", frame or 0)
    if frame is None or scan < 0:
        return False
    start = scan + 2 + int.from_bytes(picture[scan + 2 : scan + 4], "big")
    end = _JPEG_MARKER.search(picture, start)
    if end is None or 0xD0 <= end[0][1] <= 0xD7:  # no end, or a restart in the middle of the pixels
        return False
    bits = memoryview(picture)[start + _JPEG_FIRST_UNIT_BYTES : end.start() - 2]
    return any(bits[period:] == bits[:-period] for period in range(1, min(_JPEG_LONGEST_PERIOD, len(bits) // 3) + 1))
