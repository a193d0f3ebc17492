"""Image codec: reads and writes pictures."""

from typing import Protocol

import msgspec

from plushify_core.domain.generation import EncodedImage

__all__ = ["EncodedImage", "ImageCodec", "Picture"]


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Result that is ready to store: the generated picture, its thumbnail, and a tiny placeholder as a data URL."""

    generated: EncodedImage
    thumbnail: EncodedImage
    placeholder: str


class ImageCodec(Protocol):
    """Reader and writer of pictures. Implementations must not block the event loop."""

    async def sanitise(self, upload: bytes, *, max_pixels: int) -> EncodedImage:
        """Return an uploaded photo in a form that is safe to store and to send to the model.

        The format is detected from the bytes alone. The limits are checked on the header, before any pixel is decoded.
        Then the whole photo is decoded, which finds damaged files. The orientation is applied, transparent areas
        become white, colours are converted to sRGB, and all metadata is removed (EXIF, GPS, XMP, comments, colour
        profiles). The result is no larger than the model accepts.

        Args:
            upload: the bytes of the file.
            max_pixels: largest number of pixels.

        Raises:
            InvalidInput: `image_empty`, `unsupported_image_format` (also for SVG and other formats that are not raster
                photos), `image_animated`, `image_too_small` (less than 2 × 2 px), `image_too_many_pixels` or
                `image_corrupt`.
        """
        ...

    async def finish(self, data: bytes, *, longest_side_px: int) -> Picture:
        """Return the picture to store, made from the picture that the model returned.

        Args:
            data: the bytes that the model returned.
            longest_side_px: limit of the longest side of the result, in px. A larger picture is scaled down; a smaller
                one keeps its size.

        Raises:
            InvalidInput: `data` is not a picture. The possible reasons are those that `sanitise` lists.
        """
        ...
