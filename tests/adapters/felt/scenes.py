"""Photos for the felt model, drawn when they are needed, and measures of pictures."""

import numpy as np
import pyvips
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


def teddy(width: int = 240, height: int = 180) -> Pixels:
    """A brown bear before a green field that darkens downwards, with the grain of a camera."""
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
    """Pixels, shape (height, width, bands), as a file."""
    height, width, bands = pixels.shape
    interpretation = "b-w" if bands < 3 else "srgb"
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels), width, height, bands, "uchar")
    return bytes(image.copy(interpretation=interpretation).write_to_buffer(suffix))


def decoded(picture: bytes) -> Pixels:
    """A file's pixels, shape (height, width, 3)."""
    return np.asarray(pyvips.Image.new_from_buffer(picture, "").numpy())


def size(picture: bytes) -> tuple[int, int]:
    """Width and height of a file in px."""
    image = pyvips.Image.new_from_buffer(picture, "")
    return image.width, image.height


def composition(picture: bytes, side: int = 24) -> NDArray[np.float64]:
    """What is light and what is dark in a picture, without any detail and without its outermost tenth."""
    small = pyvips.Image.thumbnail_buffer(picture, side, height=side, size="force").colourspace("b-w")
    return np.asarray(small.numpy(), dtype=float)[side // 10 : -(side // 10), side // 10 : -(side // 10)]


def correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """1 for the same, 0 for nothing in common."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def distance(first: Pixels, second: Pixels) -> float:
    """The mean difference of two pictures of one size, 0..255."""
    return float(np.abs(first.astype(float) - second.astype(float)).mean())


def sharpness(pixels: NDArray[np.float64]) -> float:
    """How much neighbouring pixels differ: what plain enlarging cannot add."""
    grey = pixels.mean(axis=-1)
    return float(
        np.abs(4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:]).mean()
    )
