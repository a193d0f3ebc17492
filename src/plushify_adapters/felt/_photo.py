"""The photo as the felt model sees it: small, in Oklab, well exposed."""

import numpy as np
import pyvips

from ._colour import oklab
from ._raster import Floats, from_vips, to_vips


class UnreadablePhoto(Exception):
    """The bytes are no picture, or a damaged one."""


def read(photo: bytes, grid_px: int, ground: tuple[float, float, float]) -> tuple[Floats, int, int]:
    """Decode a photo, upright, onto a grid of `grid_px` on its longest side.

    Args:
        ground: sRGB in 0..1; what transparent parts show.

    Returns:
        The photo in Oklab, and its own width and height in px.

    Raises:
        UnreadablePhoto: it cannot be decoded, or not to its end.
    """
    try:
        # Not `thumbnail_buffer`: it does not tell of a file cut short (libvips 8.18), whatever `fail_on` says.
        full = pyvips.Image.new_from_buffer(photo, "", access="sequential", fail_on="error")
        width, height = _upright_size(full)
        image = full.thumbnail_image(grid_px, height=grid_px, output_profile="srgb").colourspace("srgb")
        if image.hasalpha():
            image = image.flatten(background=[round(255 * band) for band in ground])
        return oklab(from_vips(image.cast("float")) / 255), width, height
    except pyvips.Error as error:
        raise UnreadablePhoto(str(error)) from error


def _upright_size(image: pyvips.Image) -> tuple[int, int]:
    lies_on_its_side = image.get_typeof("orientation") and image.get("orientation") >= _FIRST_SIDEWAYS
    return (image.height, image.width) if lies_on_its_side else (image.width, image.height)


_FIRST_SIDEWAYS = 5
"""EXIF orientations 5 to 8 exchange width and height."""


def expose(lab: Floats) -> Floats:
    """Stretch a flat photo's lightness gently, and bring its middle towards the middle."""
    low, high = np.percentile(lab[..., 0], (1, 99))
    gain = np.clip(0.85 / max(high - low, 0.05), 0.9, 1.35)
    middle = (low + high) / 2
    exposed = lab.copy()
    exposed[..., 0] = np.clip((lab[..., 0] - middle) * gain + 0.6 * middle + 0.22, 0.0, 1.0)
    return exposed


def enlarge_middle(lab: Floats, amount: float) -> Floats:
    """Swell the upper middle, where the head is, at the cost of what is around it; the frame stays where it is.

    Args:
        amount: 0 leaves the picture as it is; 0.35 enlarges the very middle by half.
    """
    if amount == 0:
        return lab
    height, width = lab.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across, down = 2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1 - _HEAD
    nearness = 1 - np.clip((across**2 + down**2) / 1.3, 0, 1)
    pull = 1 - amount * nearness**2
    source = np.dstack([(across * pull + 1) / 2 * (width - 1), (down * pull + _HEAD + 1) / 2 * (height - 1)])
    bicubic = pyvips.Interpolate.new("bicubic")
    return from_vips(to_vips(lab).mapim(to_vips(source), interpolate=bicubic, extend="copy"))


_HEAD = -0.15
"""Height of the point that swells: -1 is the top, 1 the bottom."""
