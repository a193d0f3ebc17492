"""Wool in the colours of a style: a short palette, softened, with the photo's own shading where it matters."""

import numpy as np

from ._colour import few_colours, nearest, oklab, srgb
from ._patches import Patches
from ._raster import Floats, Labels, smoothstep
from ._recipes import Recipe
from ._subject import prominence

_STRICTNESS = 0.6
"""How far a piece's colour moves to the palette's, unless that is another colour: shaded skin must not turn brown."""


_FEATURES = 1.2
"""How much of strong shading is kept: features are drawn a little bolder, as an embroiderer would."""


def dye(photo: Floats, pieces: Patches, recipe: Recipe) -> tuple[Floats, Floats]:
    """Choose the colours.

    Args:
        photo: in Oklab; it may be finer than the grid of the pieces.

    Returns:
        The sRGB colour of each piece, and what the photo's shading adds to it at each pixel of the photo.
    """
    wanted = _dress(pieces.colours, recipe)
    palette = few_colours(wanted, pieces.areas, recipe.colours)
    change = palette[nearest(wanted, palette)] - wanted
    far = np.sqrt((change**2).sum(axis=1, keepdims=True))
    colours = wanted + _STRICTNESS * change * (1.0 - smoothstep(0.06, 0.14, far))
    fade = recipe.calm * (1.0 - prominence(pieces)[:, None]) ** 1.5
    paper = oklab(np.array(recipe.backdrop, dtype=np.float32))
    colours = (colours + fade * (paper - colours)).astype(np.float32)

    labels = _enlarged(pieces.labels, *photo.shape[:2])
    shading = photo - pieces.colours[labels]
    # Weak shading is left out as the style wants; strong shading is an eye or a smile and stays.
    telling = smoothstep(0.04, 0.13, np.abs(shading[..., :1]))
    kept = (recipe.detail + (_FEATURES - recipe.detail) * telling) * (1.0 - 0.6 * fade[labels])
    flat = srgb(colours)
    return flat, srgb(colours[labels] + _scale(recipe) * shading * kept) - flat[labels]


def _enlarged(labels: Labels, height: int, width: int) -> Labels:
    rows = np.arange(height) * labels.shape[0] // height
    columns = np.arange(width) * labels.shape[1] // width
    enlarged: Labels = labels[rows[:, None], columns]
    return enlarged


def _dress(lab: Floats, recipe: Recipe) -> Floats:
    return lab * _scale(recipe) + np.array([recipe.lift, *recipe.tint], dtype=np.float32)


def _scale(recipe: Recipe) -> Floats:
    return np.array([recipe.ceiling - recipe.lift, recipe.chroma, recipe.chroma], dtype=np.float32)
