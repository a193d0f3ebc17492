"""Positions of the stitches: along strong contours between parts, and around the cushion."""

import numpy as np

from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._colour import difference
from plushify_adapters.felt._pieces import Pieces
from plushify_adapters.felt._raster import Floats, Mask, Points, blur, inside
from plushify_adapters.felt._recipes import Recipe
from plushify_adapters.felt._stitches import contours, stitches_along
from plushify_adapters.felt._subject import prominence

_INSET = 0.84
"""Level of a part's blurred mask along which its seam runs: slightly inside the outline, which is at 0.5."""

_SHORTEST_RUN_POINTS = 9
"""Length up to which gaps in a seam are closed and isolated bits dropped, in points about 1 px of the grid apart."""


def stitches_between_parts(parts: Pieces, lab: Floats, recipe: Recipe, canvas: Canvas) -> Points:
    """Return stitches along the borders at which the colours of two parts differ enough.

    The stitches lie inside the upper part. The more prominent part is the upper one; of two equally prominent parts,
    the smaller one.

    Args:
        parts: the padded parts.
        lab: the photo on the grid, in Oklab.
        recipe: the style.
        canvas: size of the picture.
    """
    grid_side = max(parts.labels.shape)
    sigma = max(1.0, (0.5 * recipe.roundness + 0.006) * grid_side)
    smallest = 30 * (recipe.stitch * grid_side) ** 2
    soft = blur(lab, 0.7 * sigma)
    rank = prominence(parts) - 0.3 * parts.areas / parts.labels.size
    sewn: list[Points] = [np.empty((0, 4))]
    for part in np.flatnonzero(parts.areas >= smallest):
        shape = blur((parts.labels == part).astype(np.float32), sigma)
        lower = rank[parts.labels] < rank[part]
        for line in contours(shape, _INSET):
            if len(line) >= _SHORTEST_RUN_POINTS:
                strong = _needs_seam(line, soft, lower, recipe.seam_contrast, 2.2 * sigma)
                sewn.append(stitches_along(canvas.from_grid(_smoothed(line)), strong, _pitch_px(recipe, canvas)))
    stitches = np.concatenate(sewn)
    return stitches[canvas.depth(stitches[:, 0], stitches[:, 1]) > 0.035 * canvas.side]


def _needs_seam(line: Points, lab: Floats, lower: Mask, contrast: float, reach: float) -> Mask:
    """Return which points of a contour have, `reach` px away, a lower part that differs by more than `contrast`."""
    ahead = np.gradient(line, axis=0)
    ahead /= np.maximum(np.hypot(*ahead.T), 1e-6)[:, None]
    aside = reach * np.stack([ahead[:, 1], -ahead[:, 0]], axis=1)
    height, width = lower.shape
    here = tuple(np.rint(line).astype(int).T[::-1])
    wanted = np.zeros(len(line), dtype=bool)
    for outwards in (aside, -aside):
        x, y = np.rint(line + outwards).astype(int).T
        there = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
        wanted |= inside(x, y, width, height) & lower[there] & (difference(lab[there], lab[here]) > contrast)
    # A majority vote over neighbouring points closes short gaps and drops short bits, which would look torn.
    return np.convolve(wanted, np.ones(_SHORTEST_RUN_POINTS), mode="same") > _SHORTEST_RUN_POINTS / 2


def _smoothed(line: Points) -> Points:
    """Return the line after a moving average over 7 points."""
    return np.stack([np.convolve(np.pad(axis, 3, mode="edge"), np.ones(7) / 7, "valid") for axis in line.T], axis=1)


def stitches_around_cushion(recipe: Recipe, canvas: Canvas) -> Points:
    """Return stitches along the whole edge of the cushion, slightly inside it; none if the cushion is too small."""
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
            np.stack([x + radius * np.cos(start + quarter), y + radius * np.sin(start + quarter)], axis=1)
            for x, y, start in corners
        ]
    )
    line = np.concatenate([line, line[:1]])
    return stitches_along(line, np.ones(len(line), dtype=bool), _pitch_px(recipe, canvas))


def _pitch_px(recipe: Recipe, canvas: Canvas) -> float:
    """Return the distance from the middle of one stitch to the next."""
    return 1.5 * recipe.stitch * canvas.side
