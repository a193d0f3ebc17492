"""Image operations that the steps of the felt model share.

Images are float32 arrays of shape (height, width) or (height, width, bands). Lengths are in px.
"""

from typing import Any, TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
Labels: TypeAlias = NDArray[np.integer[Any]]
Mask: TypeAlias = NDArray[np.bool_]
Points: TypeAlias = NDArray[np.floating[Any]]
"""Points, one a row: shape (n, 2) as (x, y), or (n, 4) as (x, y, direction x, direction y)."""


def to_vips(array: Floats) -> pyvips.Image:
    """Return an array as a libvips image of floats."""
    height, width, *bands = array.shape
    data = np.ascontiguousarray(array, dtype=np.float32)
    return pyvips.Image.new_from_memory(data, width, height, bands[0] if bands else 1, "float")


def from_vips(image: pyvips.Image) -> Floats:
    """Return a libvips image of floats as an array."""
    bands = (image.bands,) if image.bands > 1 else ()
    data = np.frombuffer(image.write_to_memory(), dtype=np.float32)
    return data.reshape(image.height, image.width, *bands)


def blur(array: Floats, sigma: float) -> Floats:
    """Return the array after a Gaussian blur.

    A wide blur is computed on a reduced image, which is cheaper and looks the same.
    """
    height, width = array.shape[:2]
    shrink = min(int(sigma / 4), height, width)
    if shrink >= 2:
        small = resample(array, max(1, height // shrink), max(1, width // shrink))
        return resample(blur(small, sigma / shrink), height, width)
    if sigma < 0.3:
        return array
    return from_vips(to_vips(array).gaussblur(sigma, precision="float", min_ampl=0.02))


def resample(array: Floats, height: int, width: int) -> Floats:
    """Return the image resampled to another size by cubic interpolation."""
    old_height, old_width = array.shape[:2]
    if (old_height, old_width) == (height, width):
        return array
    image = to_vips(array).resize(width / old_width, vscale=height / old_height, kernel="cubic")
    if (image.width, image.height) != (width, height):  # libvips can round a very long side differently
        image = image.gravity("centre", width, height, extend="copy")
    return from_vips(image)


def smoothstep(low: float, high: float, values: Floats) -> Floats:
    """Return 0 for values below `low`, 1 above `high`, and an S-curve between them."""
    t: Floats = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def slope(field: Floats, axis: int) -> Floats:
    """Return the change of the field from one pixel to the next along an axis."""
    if field.shape[axis] == 1:
        return np.zeros_like(field)
    rise: Floats = np.gradient(field, axis=axis)
    return rise


def inside(x: Labels, y: Labels, width: int, height: int) -> Mask:
    """Return which pixel coordinates lie within an image of this size."""
    within: Mask = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return within
