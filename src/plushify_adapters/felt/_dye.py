"""Colours of the felt: a small palette in the tones of the style, plus the shading of the photo."""

import numpy as np

from plushify_adapters.felt._colour import difference, few_colours, nearest, oklab, srgb
from plushify_adapters.felt._pieces import Pieces
from plushify_adapters.felt._raster import Floats, Labels, smoothstep
from plushify_adapters.felt._recipes import Recipe
from plushify_adapters.felt._subject import prominence

_STRICTNESS = 0.6
"""Fraction of the way that a piece's colour moves to the nearest colour of the palette."""

_FEATURE_STRENGTH = 1.2
"""Amplification of strong shading, so that eyes and mouths are a little clearer than in the photo."""


def dye(photo: Floats, pieces: Pieces, recipe: Recipe) -> tuple[Floats, Floats]:
    """Choose the colours of the pieces and the shading on them.

    Args:
        photo: the photo in Oklab; it may be finer than the grid of the pieces.
        pieces: the pieces to colour.
        recipe: the style.

    Returns:
        The sRGB colour of each piece, and the sRGB difference that the shading adds at each pixel of the photo.
    """
    wanted = _in_tones_of_style(pieces.colours, recipe)
    palette = few_colours(wanted, pieces.areas, recipe.colours)
    chosen = palette[nearest(wanted, palette)]
    # A piece far from every colour of the palette keeps its own, so that shaded skin does not become brown.
    closeness = 1.0 - smoothstep(0.06, 0.14, difference(chosen, wanted)[:, None])
    colours = wanted + _STRICTNESS * (chosen - wanted) * closeness
    fade = recipe.calm * (1.0 - prominence(pieces)[:, None]) ** 1.5
    backdrop = oklab(np.array(recipe.backdrop, dtype=np.float32))
    colours = (colours + fade * (backdrop - colours)).astype(np.float32)

    labels = _resized(pieces.labels, *photo.shape[:2])
    shading = photo - pieces.colours[labels]
    # The style decides how much weak shading is kept; strong shading is a feature such as an eye and always stays.
    is_feature = smoothstep(0.04, 0.13, np.abs(shading[..., :1]))
    kept = (recipe.detail + (_FEATURE_STRENGTH - recipe.detail) * is_feature) * (1.0 - 0.6 * fade[labels])
    flat = srgb(colours)
    return flat, srgb(colours[labels] + _band_gains(recipe) * shading * kept) - flat[labels]


def _resized(labels: Labels, height: int, width: int) -> Labels:
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    resized: Labels = labels[rows[:, None], columns]
    return resized


def _in_tones_of_style(lab: Floats, recipe: Recipe) -> Floats:
    return lab * _band_gains(recipe) + np.array([recipe.lift, *recipe.tint], dtype=np.float32)


def _band_gains(recipe: Recipe) -> Floats:
    return np.array([recipe.ceiling - recipe.lift, recipe.chroma, recipe.chroma], dtype=np.float32)
