"""Image codec for PPM files. The comments in their header are the metadata."""

import base64

from plushify_adapters.memory._ppm import MEDIA_TYPE, Ppm, read_header
from plushify_core.domain.errors import InvalidInput, Reason
from plushify_core.ports import EncodedImage, ImageCodec, Picture

THUMBNAIL_PX = 16


class MemoryImageCodec(ImageCodec):
    """Codec of binary PPM files. `sanitise` keeps the size of the photo."""

    async def sanitise(self, upload: bytes, *, max_pixels: int) -> EncodedImage:
        return _encoded(_read(upload, max_pixels))

    async def finish(self, data: bytes, *, longest_side_px: int) -> Picture:
        picture = _read(data)
        if max(picture.width, picture.height) > longest_side_px:
            picture = picture.fitted(longest_side_px)
        thumbnail = picture.fitted(min(THUMBNAIL_PX, max(picture.width, picture.height)))
        dot = base64.b64encode(picture.fitted(1).encode()).decode()
        return Picture(
            generated=_encoded(picture),
            thumbnail=_encoded(thumbnail),
            placeholder=f"data:{MEDIA_TYPE};base64,{dot}",
        )


def _encoded(picture: Ppm) -> EncodedImage:
    return EncodedImage(data=picture.encode(), media_type=MEDIA_TYPE, width=picture.width, height=picture.height)


def _read(data: bytes, max_pixels: int | None = None) -> Ppm:
    if not data:
        raise InvalidInput(Reason.IMAGE_EMPTY)
    header = read_header(data)
    if header is None:
        raise InvalidInput(Reason.UNSUPPORTED_IMAGE_FORMAT)
    width, height, start = header
    if width < 2 or height < 2:
        raise InvalidInput(Reason.IMAGE_TOO_SMALL)
    if max_pixels is not None and width * height > max_pixels:
        raise InvalidInput(Reason.IMAGE_TOO_MANY_PIXELS)
    pixels = data[start : start + 3 * width * height]
    if len(pixels) < 3 * width * height:
        raise InvalidInput(Reason.IMAGE_CORRUPT)
    if len(data) > start + len(pixels):
        raise InvalidInput(Reason.IMAGE_ANIMATED)  # a PPM file holds several pictures by concatenation
    return Ppm(width=width, height=height, pixels=pixels)
