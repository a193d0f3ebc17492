"""Relief of the padded felt and its lighting. Heights are in px of the canvas."""

import numpy as np

from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._colour import difference
from plushify_adapters.felt._pieces import Pieces
from plushify_adapters.felt._raster import Floats, blur, slope, smoothstep
from plushify_adapters.felt._recipes import Recipe
from plushify_adapters.felt._subject import prominence

_LAMP = (-0.46, -0.58, 0.67)
"""Direction towards the lamp as (right, down, towards the viewer): the upper left, in front of the picture."""


def padding_height(pieces: Pieces, parts: Pieces, clearness: Floats, recipe: Recipe, canvas: Canvas) -> Floats:
    """Return the height of the padded felt at each pixel of the canvas.

    It is lower along the borders of pieces, much lower between parts, and falls off at the edge of the cushion. The
    subject is padded more than the background.

    Args:
        pieces: the pieces of felt.
        parts: the padded parts, which the pieces form.
        clearness: how clearly each pixel of the canvas belongs to its piece, 0..1.
        recipe: the style.
        canvas: size of the picture.
    """
    fine, coarse = _colour_steps(pieces), _colour_steps(parts)
    grid_side = max(fine.shape)
    puff = recipe.puff
    widths = (
        (fine, 0.006, 0.25),
        (fine, 0.014, 0.4),
        (coarse, 0.012, puff),
        (coarse, 0.028, 2 * puff),
        (coarse, 0.055, 2.2 * puff),
    )
    sunk = sum(depth * width * grid_side * blur(step, width * grid_side) for step, width, depth in widths)
    fullness = 0.35 + 0.65 * blur(prominence(pieces)[pieces.labels], 0.02 * grid_side)
    padded = -canvas.upscale((fullness * sunk).astype(np.float32)) * canvas.scale * 1.2
    padded += np.sqrt(clearness) * smoothstep(0.0, 0.25, canvas.upscale(blur(fine, 1.2))) * 0.0025 * canvas.side
    near_edge = np.clip(1.0 - canvas.depth(*canvas.pixels()) / (0.055 * canvas.side), 0.0, 1.0)
    cushion = np.sqrt(1.0 - near_edge**2) * 0.020 * canvas.side
    height_px: Floats = (padded + cushion).astype(np.float32)
    return height_px


def _colour_steps(pieces: Pieces) -> Floats:
    """Return how much the colours of adjacent pieces differ at each pixel of the grid, 0..1; 0 inside a piece."""
    labels = pieces.labels
    found = np.zeros(labels.shape, dtype=np.float32)
    sides = ((np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:]))
    for here, there in sides:
        step = smoothstep(0.05, 0.24, difference(pieces.colours[labels[here]], pieces.colours[labels[there]]))
        found[here] = np.maximum(found[here], step)
        found[there] = np.maximum(found[there], step)
    return found


def brightness(height_px: Floats, canvas: Canvas) -> Floats:
    """Return the brightness of the surface under a soft lamp.

    It is 1 where the surface is flat, and lower in hollows and on slopes that face away from the lamp.
    """
    across, down = (slope(height_px, axis) for axis in (1, 0))
    x, y, z = _LAMP
    facing = (z - x * across - y * down) / np.sqrt(1.0 + across**2 + down**2) / z
    hollow = (height_px - blur(height_px, 0.022 * canvas.side)) / (0.012 * canvas.side)
    return (1.0 + _limited(0.60 * (facing - 1.0), 0.42)) * (1.0 + 0.13 * np.clip(hollow, -1.0, 0.5))


def apply_brightness(felt: Floats, lighting: Floats) -> Floats:
    """Return the felt in the given brightness, with saturated shadows: light between fibres takes on their colour."""
    dark = np.clip(1.0 - lighting, 0.0, 1.0)[..., None]
    bright = np.maximum(lighting, 1.0)[..., None]
    lit: Floats = np.clip(felt, 0.01, None) ** (1.0 + 0.7 * dark) * (bright - 0.62 * dark)
    return lit


def _limited(values: Floats, limit: float) -> Floats:
    """Return the values compressed smoothly to less than the limit, so that no shadow becomes black."""
    limited: Floats = limit * np.tanh(values / limit)
    return limited
