"""Binary PPM files ("P6"), which pure Python can read and write in a few lines.

Source: https://netpbm.sourceforge.net/doc/ppm.html
"""

import re
from typing import Self

import msgspec

MEDIA_TYPE = "image/x-portable-pixmap"

_SPACE = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"P6" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"(\d{1,9})" + _SPACE + rb"255\s")


class Ppm(msgspec.Struct, frozen=True, kw_only=True):
    """Picture of `width` × `height` px. A pixel is 3 bytes (red, green, blue); rows go from top to bottom."""

    width: int
    height: int
    pixels: bytes

    def encode(self) -> bytes:
        """Return the picture as the bytes of a PPM file."""
        return b"P6\n%d %d\n255\n" % (self.width, self.height) + self.pixels

    def fitted(self, longest_side_px: int) -> Self:
        """Return the picture scaled to this longest side, by nearest neighbour."""
        longest = max(self.width, self.height)
        width = max(1, self.width * longest_side_px // longest)
        height = max(1, self.height * longest_side_px // longest)
        stride = 3 * self.width
        columns = [3 * (x * self.width // width) for x in range(width)]
        wide: dict[int, bytes] = {}
        rows: list[bytes] = []
        for y in range(height):
            source = y * self.height // height
            if source not in wide:
                row = self.pixels[source * stride : (source + 1) * stride]
                wide[source] = b"".join([row[x : x + 3] for x in columns])
            rows.append(wide[source])
        return type(self)(width=width, height=height, pixels=b"".join(rows))


def read_header(data: bytes) -> tuple[int, int, int] | None:
    """Return the width and height in px and the offset of the pixels; None if `data` is not a PPM file."""
    header = _HEADER.match(data)
    return (int(header[1]), int(header[2]), header.end()) if header else None
