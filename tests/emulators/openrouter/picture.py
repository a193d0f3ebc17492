"""Picture in the emulator's answers: the posterised photo on a felt-coloured background."""

from functools import lru_cache

import pyvips

_FELT_RGB = (214, 190, 170)
_LEVELS = 51  # 256 / 51 gives five tones a channel


@lru_cache(maxsize=8)
def draw(photo: bytes, width: int, height: int, media_type: str = "image/png") -> bytes:
    """Draw the plushie of `photo`, `width` by `height` pixels; the same photo always gives the same bytes.

    Raises:
        pyvips.Error: The photo is not a picture.
    """
    subject = pyvips.Image.thumbnail_buffer(
        photo, round(width * 0.8), height=round(height * 0.8), size="both"
    ).colourspace("srgb")
    if subject.hasalpha():
        subject = subject.flatten(background=_FELT_RGB)
    posterised = ((subject.gaussblur(2) / _LEVELS).rint() * _LEVELS).cast("uchar")
    noise = pyvips.Image.gaussnoise(width, height, mean=0, sigma=6, seed=1)
    background = (pyvips.Image.black(width, height, bands=3) + _FELT_RGB + noise).cast("uchar")
    picture = background.insert(posterised, (width - posterised.width) // 2, (height - posterised.height) // 2).copy(
        interpretation="srgb"
    )
    suffix, options = (".png", {"compression": 1}) if media_type == "image/png" else (".jpg", {"Q": 90})
    encoded: bytes = picture.write_to_buffer(suffix, **options)
    return encoded


@lru_cache(maxsize=8)
def blank_picture(width: int, height: int) -> bytes:
    """Return a PNG of one colour, `width` by `height` pixels."""
    picture = (pyvips.Image.black(width, height, bands=3) + _FELT_RGB).cast("uchar").copy(interpretation="srgb")
    encoded: bytes = picture.write_to_buffer(".png")
    return encoded
