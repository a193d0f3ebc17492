"""The padding under the felt, and the lamp above it. Heights are in px of the canvas."""

import numpy as np

from ._canvas import Canvas
from ._patches import Patches
from ._raster import Floats, blur, slope, smoothstep
from ._recipes import Recipe
from ._subject import prominence

_LAMP = (-0.46, -0.58, 0.67)
"""Towards the lamp: from the upper left, above the picture."""


def padding(pieces: Patches, parts: Patches, clearness: Floats, recipe: Recipe, canvas: Canvas) -> Floats:
    """How high the stuffed felt stands: it sinks along every seam, deeply between parts, and at the cushion's edge.

    The subject is stuffed more than what is around it.
    """
    fine, coarse = _steps(pieces), _steps(parts)
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
    full = 0.35 + 0.65 * blur(prominence(pieces)[pieces.labels], 0.02 * grid_side)
    stuffed = -canvas.place((full * sunk).astype(np.float32)) * canvas.scale * 1.2
    stuffed += np.sqrt(clearness) * smoothstep(0.0, 0.25, canvas.place(blur(fine, 1.2))) * 0.0025 * canvas.side
    near_edge = np.clip(1.0 - canvas.depth(*canvas.pixels()) / (0.055 * canvas.side), 0.0, 1.0)
    cushion = np.sqrt(1.0 - near_edge**2) * 0.020 * canvas.side
    height_px: Floats = (stuffed + cushion).astype(np.float32)
    return height_px


def _steps(patches: Patches) -> Floats:
    """How strongly the pieces differ at each pixel of the grid, 0..1; 0 inside a piece."""
    labels = patches.labels
    found = np.zeros(labels.shape, dtype=np.float32)
    sides = ((np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:]))
    for here, there in sides:
        difference = patches.colours[labels[here]] - patches.colours[labels[there]]
        step = smoothstep(0.05, 0.24, np.sqrt((difference**2).sum(axis=-1)))
        found[here] = np.maximum(found[here], step)
        found[there] = np.maximum(found[there], step)
    return found


def light(height_px: Floats, canvas: Canvas) -> Floats:
    """How bright the surface is under a soft lamp: 1 where it is flat, less in hollows and on slopes turned away."""
    across, down = (slope(height_px, axis) for axis in (1, 0))
    x, y, z = _LAMP
    facing = (z - x * across - y * down) / np.sqrt(1.0 + across**2 + down**2) / z
    hollow = (height_px - blur(height_px, 0.022 * canvas.side)) / (0.012 * canvas.side)
    return (1.0 + _soft(0.60 * (facing - 1.0), 0.42)) * (1.0 + 0.13 * np.clip(hollow, -1.0, 0.5))


def shade(felt: Floats, brightness: Floats) -> Floats:
    """Light the felt. Its shadows are deeper in colour, not grey, as light between fibres takes their colour on."""
    dark = np.clip(1.0 - brightness, 0.0, 1.0)[..., None]
    bright = np.maximum(brightness, 1.0)[..., None]
    lit: Floats = np.clip(felt, 0.01, None) ** (1.0 + 0.7 * dark) * (bright - 0.62 * dark)
    return lit


def _soft(values: Floats, limit: float) -> Floats:
    """Keep small values and never pass the limit: no black shadows in wool."""
    softened: Floats = limit * np.tanh(values / limit)
    return softened
