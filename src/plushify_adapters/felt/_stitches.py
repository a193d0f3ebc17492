"""Seams: follow a contour, set stitches along it, and draw each as a short piece of thread."""

from dataclasses import dataclass

import numpy as np

from ._canvas import Canvas
from ._raster import Floats, Points


def contours(field: Floats, level: float) -> list[Points]:
    """The lines where `field` crosses `level`, each in order along the line (marching squares)."""
    inside = field > level
    ends: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    case = inside[:-1, :-1] * 1 + inside[:-1, 1:] * 2 + inside[1:, 1:] * 4 + inside[1:, :-1] * 8
    # Each cell side has one name whichever cell it is seen from: (y, x, 0) runs right, (y, x, 1) runs down.
    for y, x in zip(*np.nonzero((case > 0) & (case < 15)), strict=True):
        y, x = int(y), int(x)
        sides = ((y, x, 0), (y, x + 1, 1), (y + 1, x, 0), (y, x, 1))
        for a, b in _CROSSINGS[int(case[y, x])]:
            ends.setdefault(sides[a], []).append(sides[b])
            ends.setdefault(sides[b], []).append(sides[a])
    lines = []
    # Open lines are followed from one of their two ends, closed ones from anywhere.
    for start in sorted(ends, key=lambda side: (len(ends[side]), side)):
        if not ends[start]:
            continue
        line = [start]
        while ends[line[-1]]:
            here = line[-1]
            there = ends[here].pop()
            ends[there].remove(here)
            line.append(there)
        lines.append(_between_pixels(field, level, line))
    return lines


_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)
_CROSSINGS = {
    1: [(_LEFT, _TOP)], 14: [(_LEFT, _TOP)],
    2: [(_TOP, _RIGHT)], 13: [(_TOP, _RIGHT)],
    4: [(_RIGHT, _BOTTOM)], 11: [(_RIGHT, _BOTTOM)],
    8: [(_BOTTOM, _LEFT)], 7: [(_BOTTOM, _LEFT)],
    3: [(_LEFT, _RIGHT)], 12: [(_LEFT, _RIGHT)],
    6: [(_TOP, _BOTTOM)], 9: [(_TOP, _BOTTOM)],
    5: [(_LEFT, _TOP), (_RIGHT, _BOTTOM)], 10: [(_TOP, _RIGHT), (_BOTTOM, _LEFT)],
}  # fmt: skip


def _between_pixels(field: Floats, level: float, line: list[tuple[int, int, int]]) -> Points:
    y, x, down = np.array(line).T
    here, there = field[y, x], field[y + down, x + 1 - down]
    part = (level - here) / np.where(here == there, 1.0, there - here)
    return np.stack([x + part * (1 - down), y + part * down], axis=1)


def dashes(line: Points, wanted: np.ndarray, pitch: float) -> Points:
    """Even stitches along the wanted parts of a line: rows of (x, y, direction x, direction y)."""
    found = []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wanted.astype(int), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        run = line[first:last]
        if len(run) < 3:
            continue
        travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(run, axis=0).T))])
        count = int(travelled[-1] // pitch)
        if count < 4:
            continue
        middle = (np.arange(count) + 0.5) * travelled[-1] / count
        ahead = _along(run, travelled, middle + 0.3 * pitch) - _along(run, travelled, middle - 0.3 * pitch)
        norm = np.hypot(*ahead.T)[:, None]
        found.append(
            np.concatenate([_along(run, travelled, middle), ahead / np.maximum(norm, 1e-6)], axis=1)[norm[:, 0] > 1e-6]
        )
    return np.concatenate(found) if found else np.empty((0, 4))


def _along(line: Points, travelled: Points, distance: Points) -> Points:
    """The points of a line after the given distances, where `travelled` is the distance of each of its points."""
    return np.stack([np.interp(distance, travelled, axis) for axis in line.T], axis=1)


@dataclass(frozen=True, slots=True)
class Thread:
    """Drawn stitches: how much thread covers each pixel, how bright it is there, how dark its shadow is (0..1)."""

    cover: Floats
    shine: Floats
    shadow: Floats


def sew(stitches: Points, length_px: float, width_px: float, canvas: Canvas) -> Thread:
    """Draw stitches, each a short piece of twisted thread that dives into the felt at both ends."""
    height, width = canvas.height, canvas.width
    cover, shine, shadow = (np.zeros(height * width, dtype=np.float32) for _ in range(3))
    reach = int(np.ceil(length_px / 2 + width_px)) + 2
    span = np.arange(-reach, reach + 1)
    x, y, dx, dy = (stitches[:, column, None, None] for column in range(4))
    column, row = np.floor(x).astype(int) + span[None, None, :], np.floor(y).astype(int) + span[None, :, None]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    cells = np.where(inside, row * width + column, -1)

    def capsule(offset: float, radius: float) -> tuple[Floats, Floats, Floats]:
        u = (column - x - offset) * dx + (row - y - offset) * dy
        v = (row - y - offset) * dx - (column - x - offset) * dy
        beyond = np.maximum(np.abs(u) - (length_px / 2 - radius), 0.0)
        return u, v, np.hypot(beyond, v) - radius

    u, v, distance = capsule(0.0, width_px / 2)
    alpha = np.clip(0.5 - distance, 0.0, 1.0)
    across = np.clip(2 * v / width_px, -1.0, 1.0)
    lit = across * (dx * 0.60 - dy * 0.45)  # the side that faces the lamp
    twist = np.sin(2 * np.pi * (u + 0.9 * v) / (width_px * 0.75))
    round_ = np.sqrt(np.clip(1.0 - across**2, 0.0, 1.0))
    bright = 0.72 + 0.34 * round_ - 0.16 * lit + 0.07 * twist
    bright -= 0.25 * np.clip(np.abs(u) / (length_px / 2) - 0.6, 0.0, 1.0)  # it dives into the felt at both ends
    dark = np.clip(0.5 - capsule(width_px * 0.28, width_px * 0.62)[2] / (width_px * 0.45), 0.0, 1.0)
    seen = (alpha > 0) & (cells >= 0)
    order = np.argsort(alpha[seen], kind="stable")
    at = cells[seen][order]
    cover[at], shine[at] = alpha[seen][order], bright[seen][order]
    cast = (dark > 0) & (cells >= 0)
    np.maximum.at(shadow, cells[cast], dark[cast].astype(np.float32))
    return Thread(*(plane.reshape(height, width) for plane in (cover, shine, shadow)))
