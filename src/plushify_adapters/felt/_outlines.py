"""Rounded outlines for the pieces, computed at the size of the canvas."""

import numpy as np

from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._pieces import Pieces, touching_pairs
from plushify_adapters.felt._raster import Floats, Labels, blur


def round_outlines(pieces: Pieces, roundness_px: float, canvas: Canvas) -> tuple[Labels, Floats]:
    """Round the outlines of the pieces: blur the mask of each piece, and give each pixel to the strongest mask.

    Args:
        pieces: the pieces on the grid.
        roundness_px: sigma of the blur, in px of the grid.
        canvas: size of the result.

    Returns:
        The label of each pixel of the canvas, and how clearly the pixel belongs to its piece: 0 on an outline,
        1 well inside.
    """
    planes = _assign_planes(pieces, reach=max(2, round(roundness_px)))
    rows, columns = canvas.nearest_cells()
    best = np.full((canvas.height, canvas.width), -1.0, dtype=np.float32)
    second = best.copy()
    labels = np.zeros(best.shape, dtype=np.int32)
    for plane in range(int(planes.max()) + 1):
        member = planes[pieces.labels] == plane
        strength = canvas.upscale(blur(member.astype(np.float32), roundness_px))
        owner = _spread_labels(np.where(member, pieces.labels, -1), rounds=int(3 * roundness_px) + 1)
        labels = np.where(strength > best, owner[rows[:, None], columns], labels)
        np.maximum(second, np.minimum(strength, best), out=second)
        np.maximum(best, strength, out=best)
    return labels, np.clip(best - second, 0.0, 1.0)


def _assign_planes(pieces: Pieces, reach: int) -> Labels:
    """Return a plane for each piece, different for pieces that touch or are `reach` px apart.

    This is greedy graph colouring. Upscaling a few planes is cheaper than upscaling hundreds of pieces.
    """
    steps = [(0, 1), (1, 0), (0, reach), (reach, 0), (reach, reach), (reach, -reach)]
    near: list[set[int]] = [set() for _ in pieces.areas]
    for a, b in touching_pairs(pieces.labels, steps):
        near[a].add(b)
        near[b].add(a)
    planes = np.full(len(near), -1, dtype=np.int32)
    for piece in sorted(range(len(near)), key=lambda piece: (-len(near[piece]), piece)):
        taken = {int(planes[other]) for other in near[piece]}
        planes[piece] = next(plane for plane in range(len(near)) if plane not in taken)
    return planes


def _spread_labels(labels: Labels, rounds: int) -> Labels:
    """Return the labels extended into empty pixels (-1), one pixel per round; pixels still empty then become 0."""
    spread = labels
    for _ in range(rounds):
        padded = np.pad(spread, 1, constant_values=-1)
        for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
            spread = np.where(spread < 0, neighbour, spread)
    return np.maximum(spread, 0)
