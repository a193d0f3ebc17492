"""Preparation of the photo: decoding to a small Oklab image, exposure, enlarging of the head."""

import numpy as np
import pyvips

from plushify_adapters.felt._colour import oklab
from plushify_adapters.felt._raster import Floats, from_vips, to_vips

_FIRST_ROTATED_ORIENTATION = 5
"""First of the EXIF orientations, 5 to 8, that exchange width and height."""

_HEAD_Y = -0.15
"""Vertical centre of the enlargement: -1 is the top of the photo, 1 the bottom."""


class UnreadablePhoto(Exception):
    """Error for bytes that are no image, or a damaged one."""


def read_photo(photo: bytes, longest_side_px: int, background: tuple[float, float, float]) -> tuple[Floats, int, int]:
    """Decode a photo upright and scale it to a longest side of `longest_side_px`.

    Args:
        photo: a file in any format that libvips reads.
        longest_side_px: of the returned image.
        background: colour that replaces transparency, sRGB in 0..1.

    Returns:
        The scaled photo in Oklab, and the width and height in px of the upright file.

    Raises:
        UnreadablePhoto: the photo cannot be decoded completely.
    """
    try:
        # `thumbnail_buffer` ignores `fail_on` and accepts truncated files (libvips 8.18).
        full = pyvips.Image.new_from_buffer(photo, "", access="sequential", fail_on="error")
        width, height = _upright_size(full)
        image = full.thumbnail_image(longest_side_px, height=longest_side_px, output_profile="srgb").colourspace("srgb")
        if image.hasalpha():
            image = image.flatten(background=[round(255 * band) for band in background])
        return oklab(from_vips(image.cast("float")) / 255), width, height
    except pyvips.Error as error:
        raise UnreadablePhoto(str(error)) from error


def _upright_size(image: pyvips.Image) -> tuple[int, int]:
    is_rotated = image.get_typeof("orientation") and image.get("orientation") >= _FIRST_ROTATED_ORIENTATION
    return (image.height, image.width) if is_rotated else (image.width, image.height)


def normalise_exposure(lab: Floats) -> Floats:
    """Return the photo with more contrast where it has little, and with a medium mean lightness."""
    low, high = np.percentile(lab[..., 0], (1, 99))
    gain = np.clip(0.85 / max(high - low, 0.05), 0.9, 1.35)
    middle = (low + high) / 2
    exposed = lab.copy()
    exposed[..., 0] = np.clip((lab[..., 0] - middle) * gain + 0.6 * middle + 0.22, 0.0, 1.0)
    return exposed


def enlarge_middle(lab: Floats, amount: float) -> Floats:
    """Return the photo with its upper middle, where the head usually is, enlarged and its edges in place.

    Args:
        lab: the photo in Oklab.
        amount: 0 changes nothing; 0.35 enlarges the centre by half.
    """
    if amount == 0:
        return lab
    height, width = lab.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across, down = 2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1 - _HEAD_Y
    nearness = 1 - np.clip((across**2 + down**2) / 1.3, 0, 1)
    pull = 1 - amount * nearness**2
    source = np.dstack([(across * pull + 1) / 2 * (width - 1), (down * pull + _HEAD_Y + 1) / 2 * (height - 1)])
    bicubic = pyvips.Interpolate.new("bicubic")
    return from_vips(to_vips(lab).mapim(to_vips(source), interpolate=bicubic, extend="copy"))
