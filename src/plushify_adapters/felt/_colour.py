"""Colours of the felt model: conversion to and from Oklab, colour differences and small palettes.

Oklab is a colour space in which equal distances look equal. Its constants are from Björn Ottosson, "A perceptual
color space for image processing" (2020), https://bottosson.github.io/posts/oklab/.
"""

import numpy as np

from plushify_adapters.felt._raster import Floats, Labels

_RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    dtype=np.float32,
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    dtype=np.float32,
)
_LAB_TO_LMS = np.linalg.inv(_LMS_TO_LAB).astype(np.float32)
_LMS_TO_RGB = np.linalg.inv(_RGB_TO_LMS).astype(np.float32)


def oklab(srgb: Floats) -> Floats:
    """Convert sRGB in 0..1 to Oklab; the last axis holds the three bands."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return _mix(np.cbrt(_mix(linear, _RGB_TO_LMS)), _LMS_TO_LAB)


def srgb(lab: Floats) -> Floats:
    """Convert Oklab to sRGB in 0..1, clipping colours outside the gamut."""
    linear = np.clip(_mix(_mix(lab, _LAB_TO_LMS) ** 3, _LMS_TO_RGB), 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** np.float32(1 / 2.4) - 0.055)


def _mix(bands: Floats, matrix: Floats) -> Floats:
    # Not a matrix product: its order of summation, and so its rounding, can depend on the number of threads.
    first, second, third = bands[..., 0], bands[..., 1], bands[..., 2]
    return np.stack([row[0] * first + row[1] * second + row[2] * third for row in matrix], axis=-1)


def difference(first: Floats, second: Floats) -> Floats:
    """Return the Euclidean distance between Oklab colours along the last axis."""
    distance: Floats = np.sqrt(((first - second) ** 2).sum(axis=-1))
    return distance


def nearest(colours: Floats, palette: Floats) -> Labels:
    """Return the index of the nearest colour of the palette for each of `colours`, shape (n, 3)."""
    owner: Labels = _squared_distance(colours[:, None], palette[None]).argmin(axis=1)
    return owner


def _squared_distance(some: Floats, others: Floats) -> Floats:
    # Hue and chroma weigh more than lightness, so that a dark orange becomes orange rather than brown.
    lightness, a, b = np.moveaxis((some - others) ** 2, -1, 0)
    distance: Floats = 0.4 * lightness + 1.6 * (a + b)
    return distance


def few_colours(colours: Floats, weights: Floats, count: int) -> Floats:
    """Return a palette of at most `count` colours by weighted k-means, seeded with the farthest points.

    Args:
        colours: in Oklab, shape (n, 3).
        weights: importance of each colour, shape (n,).
        count: size of the palette at most.
    """
    chosen = [int(weights.argmax())]
    distance = np.full(len(colours), np.inf, dtype=np.float32)
    for _ in range(min(count, len(colours)) - 1):
        distance = np.minimum(distance, _squared_distance(colours, colours[chosen[-1]]))
        chosen.append(int((distance * np.sqrt(weights)).argmax()))
    palette = colours[chosen].copy()
    for _ in range(12):
        owner = nearest(colours, palette)
        for index in range(len(palette)):
            members = owner == index
            if members.any():
                palette[index] = np.average(colours[members], axis=0, weights=weights[members])
    return palette
