"""Soft, rounded outlines for the pieces, drawn at the size of the canvas."""

import numpy as np

from ._canvas import Canvas
from ._patches import Patches, touching
from ._raster import Floats, Labels, blur


def trim(patches: Patches, roundness_px: float, canvas: Canvas) -> tuple[Labels, Floats]:
    """Round the outlines of the pieces: each pixel goes to the piece that is strongest there once all are blurred.

    Returns:
        The pieces' labels at the canvas's size, and how clearly each pixel belongs to its piece: 0 on an outline,
        1 well inside.
    """
    planes = _planes(patches, reach=max(2, round(roundness_px)))
    rows, columns = canvas.nearest()
    best = np.full((canvas.height, canvas.width), -1.0, dtype=np.float32)
    second = best.copy()
    labels = np.zeros(best.shape, dtype=np.int32)
    for plane in range(int(planes.max()) + 1):
        member = planes[patches.labels] == plane
        strength = canvas.place(blur(member.astype(np.float32), roundness_px))
        owner = _grow(np.where(member, patches.labels, -1), rounds=int(3 * roundness_px) + 1)
        labels = np.where(strength > best, owner[rows[:, None], columns], labels)
        np.maximum(second, np.minimum(strength, best), out=second)
        np.maximum(best, strength, out=best)
    return labels, np.clip(best - second, 0.0, 1.0)


def _planes(patches: Patches, reach: int) -> Labels:
    """Share out the pieces so that no two in a plane are near each other: a few planes are cheaper to enlarge than
    hundreds of pieces."""
    steps = [(0, 1), (1, 0), (0, reach), (reach, 0), (reach, reach), (reach, -reach)]
    near: list[set[int]] = [set() for _ in patches.areas]
    for a, b in touching(patches.labels, steps):
        near[a].add(b)
        near[b].add(a)
    planes = np.full(len(near), -1, dtype=np.int32)
    for piece in sorted(range(len(near)), key=lambda piece: (-len(near[piece]), piece)):
        taken = {int(planes[other]) for other in near[piece]}
        planes[piece] = next(plane for plane in range(len(near)) if plane not in taken)
    return planes


def _grow(owner: Labels, rounds: int) -> Labels:
    """Let the labels spread into the empty (-1) pixels around them, a pixel a round; what stays empty becomes 0."""
    grown = owner
    for _ in range(rounds):
        padded = np.pad(grown, 1, constant_values=-1)
        for around in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
            grown = np.where(grown < 0, around, grown)
    return np.maximum(grown, 0)
