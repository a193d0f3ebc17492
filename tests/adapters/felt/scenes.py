"""Sample photo for the felt model, and measurements of pictures."""

import numpy as np
import pyvips
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def teddy(width: int = 240, height: int = 180) -> Pixels:
    """Return a photo of a brown bear in front of a green field that darkens downwards, with camera noise."""
    y, x = np.mgrid[:height, :width].astype(float)
    across, down = (x - width / 2) / min(width, height), (y - height / 2) / min(width, height)
    photo = np.stack([110 - 60 * down, 160 - 70 * down, 100 - 50 * down], axis=-1)
    for middle, radius, colour in (
        ((-0.20, -0.34), 0.11, (120, 72, 40)),
        ((0.20, -0.34), 0.11, (120, 72, 40)),
        ((0.0, 0.32), 0.26, (150, 96, 56)),
        ((0.0, -0.14), 0.28, (168, 110, 66)),
        ((0.0, -0.04), 0.12, (230, 205, 170)),
        ((0.0, -0.09), 0.04, (40, 28, 26)),
        ((-0.11, -0.20), 0.035, (30, 24, 24)),
        ((0.11, -0.20), 0.035, (30, 24, 24)),
    ):
        photo[np.hypot(across - middle[0], down - middle[1]) < radius] = colour
    noise = np.random.default_rng(3).normal(0, 1, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def encoded(pixels: Pixels, suffix: str = ".png") -> bytes:
    """Return pixels, shape (height, width, bands), as a file of the format that the suffix names."""
    height, width, bands = pixels.shape
    interpretation = "b-w" if bands < 3 else "srgb"
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels), width, height, bands, "uchar")
    return bytes(image.copy(interpretation=interpretation).write_to_buffer(suffix))


def decoded(picture: bytes) -> Pixels:
    """Return the pixels of a file, shape (height, width, 3)."""
    return np.asarray(pyvips.Image.new_from_buffer(picture, "").numpy())


def size(picture: bytes) -> tuple[int, int]:
    """Return width and height of a file in px."""
    image = pyvips.Image.new_from_buffer(picture, "")
    return image.width, image.height


def composition(picture: bytes, side: int = 24) -> NDArray[np.float64]:
    """Return the lightness of a picture scaled to `side` px, without detail and without its outermost tenth."""
    small = pyvips.Image.thumbnail_buffer(picture, side, height=side, size="force").colourspace("b-w")
    return np.asarray(small.numpy(), dtype=float)[side // 10 : -(side // 10), side // 10 : -(side // 10)]


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the correlation coefficient: 1 for the same composition, 0 for unrelated ones."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def distance(first: Pixels, second: Pixels) -> float:
    """Return the mean absolute difference of two pictures of the same size, 0..255."""
    return float(np.abs(first.astype(float) - second.astype(float)).mean())


def sharpness(pixels: NDArray[np.float64]) -> float:
    """Return the mean absolute Laplacian, a measure of fine detail, which enlarging a picture cannot add."""
    grey = pixels.mean(axis=-1)
    return float(
        np.abs(4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]).mean()
    )
