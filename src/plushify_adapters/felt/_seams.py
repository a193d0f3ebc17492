"""Where the thread goes: along the strong contours between parts, and around the cushion."""

import numpy as np

from ._canvas import Canvas
from ._patches import Patches
from ._raster import Floats, Mask, Points, blur
from ._recipes import Recipe
from ._stitches import contours, dashes
from ._subject import prominence

_INSET = 0.84
"""The level of a part's softened shape at which its seam runs: a little inside its outline, which is at 0.5."""

_GAP_POINTS = 9
"""What counts as a short stretch of a contour, in its points, which are about a pixel of the grid apart."""


def between_parts(parts: Patches, lab: Floats, recipe: Recipe, canvas: Canvas) -> Points:
    """Stitches inside the upper of two parts wherever their colours differ enough there.

    Of two parts the more prominent lies above, of two as prominent the smaller.
    """
    grid_side = max(parts.labels.shape)
    sigma = max(1.0, (0.5 * recipe.roundness + 0.006) * grid_side)
    pitch = 1.5 * recipe.stitch * canvas.side
    smallest = 30 * (recipe.stitch * grid_side) ** 2
    soft = blur(lab, 0.7 * sigma)
    rank = prominence(parts) - 0.3 * parts.areas / parts.labels.size
    sewn: list[Points] = [np.empty((0, 4))]
    for part in np.flatnonzero(parts.areas >= smallest):
        shape = blur((parts.labels == part).astype(np.float32), sigma)
        below = rank[parts.labels] < rank[part]
        for line in contours(shape, _INSET):
            if len(line) >= _GAP_POINTS:
                strong = _deserving(line, soft, below, recipe.seam_contrast, 2.2 * sigma)
                sewn.append(dashes(canvas.points(_smoothed(line)), strong, pitch))
    stitches = np.concatenate(sewn)
    return stitches[canvas.depth(stitches[:, 0], stitches[:, 1]) > 0.035 * canvas.side]


def _deserving(line: Points, lab: Floats, below: Mask, contrast: float, reach: float) -> Mask:
    """Which points of a part's contour face, `reach` px away, a part below it across a step of colour."""
    ahead = np.gradient(line, axis=0)
    ahead /= np.maximum(np.hypot(*ahead.T), 1e-6)[:, None]
    aside = reach * np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)
    height, width = below.shape
    here = tuple(np.rint(line).astype(int).T[::-1])
    deserving = np.zeros(len(line), dtype=bool)
    for outwards in (aside, -aside):
        x, y = np.rint(line + outwards).astype(int).T
        within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        there = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
        step = np.sqrt(((lab[there] - lab[here]) ** 2).sum(axis=1))
        deserving |= within & below[there] & (step > contrast)
    # A stitch or two more or less would look torn: short gaps are sewn over, short bits left out.
    return np.convolve(deserving, np.ones(_GAP_POINTS), mode="same") > _GAP_POINTS / 2


def _smoothed(line: Points) -> Points:
    return np.stack([np.convolve(np.pad(axis, 3, mode="edge"), np.ones(7) / 7, "valid") for axis in line.T], axis=1)


def around_cushion(recipe: Recipe, canvas: Canvas) -> Points:
    """Stitches all around, a little inside the cushion's edge."""
    inset = canvas.margin + 0.018 * canvas.side
    radius = max(canvas.corner - 0.010 * canvas.side, 0.0)
    right, bottom = canvas.width - 1 - inset - radius, canvas.height - 1 - inset - radius
    left, top = inset + radius, inset + radius
    if right < left or bottom < top:
        return np.empty((0, 4))
    quarter = np.linspace(0.0, np.pi / 2, 24)
    corners = [(right, top, -np.pi / 2), (right, bottom, 0.0), (left, bottom, np.pi / 2), (left, top, np.pi)]
    line = np.concatenate(
        [
            np.stack([x + radius * np.cos(turn + quarter), y + radius * np.sin(turn + quarter)], axis=1)
            for x, y, turn in corners
        ]
    )
    line = np.concatenate([line, line[:1]])
    return dashes(line, np.ones(len(line), dtype=bool), 1.5 * recipe.stitch * canvas.side)
