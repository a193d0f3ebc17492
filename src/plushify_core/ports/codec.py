"""Reading and writing pictures."""

from typing import Protocol

import msgspec


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """An upload made safe: upright, without metadata, of a size the model takes. Sides in px."""

    data: bytes
    media_type: str
    width: int
    height: int


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A result ready to store: the picture, its thumbnail, and a tiny placeholder as a data URL. Sides in px."""

    data: bytes
    media_type: str
    width: int
    height: int
    thumbnail: bytes
    thumbnail_media_type: str
    thumbnail_width: int
    thumbnail_height: int
    placeholder: str


class ImageCodec(Protocol):
    """Reads and writes pictures. Implementations do their work off the event loop."""

    async def sanitise(self, upload: bytes, *, max_pixels: int) -> Photo:
        """Make an upload safe to store and to send.

        What it is, is told by its bytes alone. Limits are checked on the header, before any pixel is decoded.
        The whole of it is decoded, so a damaged one is found here. The orientation is applied, transparency
        gets a white ground, and all metadata (EXIF, GPS, XMP, comments, colour profiles after conversion to
        sRGB) is gone.

        Raises:
            InvalidInput: `image_empty`, `unsupported_image_format` (also SVG and everything that is no raster
                photo), `image_animated`, `image_too_small` (under 2 × 2), `image_too_many_pixels`,
                `image_corrupt`.
        """
        ...

    async def finish(self, data: bytes, *, longest_side_px: int) -> Picture:
        """Make the picture to store from what the model returned, scaled down to `longest_side_px` if it is
        larger and never up.

        Raises:
            InvalidInput: as `sanitise`; the model's answer is no picture.
        """
        ...
