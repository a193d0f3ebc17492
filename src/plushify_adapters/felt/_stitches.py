"""Stitches: tracing of contours, placing of stitches along a line, and drawing of the thread."""

from dataclasses import dataclass

import numpy as np

from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._raster import Floats, Points, inside


def contours(field: Floats, level: float) -> list[Points]:
    """Return the lines where `field` crosses `level`, each with its points in order (marching squares)."""
    inside = field > level
    ends: dict[tuple[int, int, int], list[tuple[int, int, int]]] = {}
    case = inside[:-1, :-1] * 1 + inside[:-1, 1:] * 2 + inside[1:, 1:] * 4 + inside[1:, :-1] * 8
    # A side has the same name in both cells that share it: (y, x, 0) runs right, (y, x, 1) runs down.
    for y, x in zip(*np.nonzero((case > 0) & (case < 15)), strict=True):
        y, x = int(y), int(x)
        sides = ((y, x, 0), (y, x + 1, 1), (y + 1, x, 0), (y, x, 1))
        for a, b in _CROSSED_SIDES[int(case[y, x])]:
            ends.setdefault(sides[a], []).append(sides[b])
            ends.setdefault(sides[b], []).append(sides[a])
    lines = []
    # Open lines are traced first, each from one of its two ends; a closed line can start anywhere.
    for start in sorted(ends, key=lambda side: (len(ends[side]), side)):
        if not ends[start]:
            continue
        line = [start]
        while ends[line[-1]]:
            here = line[-1]
            there = ends[here].pop()
            ends[there].remove(here)
            line.append(there)
        lines.append(_interpolated(field, level, line))
    return lines


_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)
_CROSSED_SIDES = {
    1: [(_LEFT, _TOP)], 14: [(_LEFT, _TOP)],
    2: [(_TOP, _RIGHT)], 13: [(_TOP, _RIGHT)],
    4: [(_RIGHT, _BOTTOM)], 11: [(_RIGHT, _BOTTOM)],
    8: [(_BOTTOM, _LEFT)], 7: [(_BOTTOM, _LEFT)],
    3: [(_LEFT, _RIGHT)], 12: [(_LEFT, _RIGHT)],
    6: [(_TOP, _BOTTOM)], 9: [(_TOP, _BOTTOM)],
    5: [(_LEFT, _TOP), (_RIGHT, _BOTTOM)], 10: [(_TOP, _RIGHT), (_BOTTOM, _LEFT)],
}  # fmt: skip


def _interpolated(field: Floats, level: float, line: list[tuple[int, int, int]]) -> Points:
    """Return the point on each crossed side at which the field has the level, by linear interpolation."""
    y, x, down = np.array(line).T
    here, there = field[y, x], field[y + down, x + 1 - down]
    part = (level - here) / np.where(here == there, 1.0, there - here)
    return np.stack([x + part * (1 - down), y + part * down], axis=1)


def stitches_along(line: Points, wanted: np.ndarray, pitch_px: float) -> Points:
    """Return evenly spaced stitches along the wanted stretches of a line.

    Args:
        line: points in order, shape (n, 2).
        wanted: which of the points may get stitches; a stretch too short for four stitches gets none.
        pitch_px: distance from one stitch to the next, rounded up so that a stretch is filled evenly.

    Returns:
        One row per stitch: x, y, and the direction as a unit vector.
    """
    stitches = []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wanted.astype(int), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        run = line[first:last]
        if len(run) < 3:
            continue
        travelled = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(run, axis=0).T))])
        count = int(travelled[-1] // pitch_px)
        if count < 4:
            continue
        middle = (np.arange(count) + 0.5) * travelled[-1] / count
        ahead = _at(run, travelled, middle + 0.3 * pitch_px) - _at(run, travelled, middle - 0.3 * pitch_px)
        norm = np.hypot(*ahead.T)[:, None]
        placed = np.concatenate([_at(run, travelled, middle), ahead / np.maximum(norm, 1e-6)], axis=1)
        stitches.append(placed[norm[:, 0] > 1e-6])
    return np.concatenate(stitches) if stitches else np.empty((0, 4))


def _at(line: Points, travelled: Points, distance: Points) -> Points:
    """Return the points at the given distances along a line; `travelled` is the distance of each of its points."""
    return np.stack([np.interp(distance, travelled, axis) for axis in line.T], axis=1)


@dataclass(frozen=True, slots=True)
class DrawnThread:
    """Drawn stitches, per pixel of the canvas.

    Args:
        cover: how much of the pixel is thread, 0..1.
        shine: brightness of the thread.
        shadow: darkness of the shadow of the thread, 0..1.
    """

    cover: Floats
    shine: Floats
    shadow: Floats


def draw_stitches(stitches: Points, length_px: float, width_px: float, canvas: Canvas) -> DrawnThread:
    """Draw each stitch as a short piece of twisted thread that sinks into the felt at both ends.

    Args:
        stitches: one row per stitch: x, y, and the direction as a unit vector.
        length_px: length of a stitch.
        width_px: width of the thread.
        canvas: size of the picture.
    """
    height, width = canvas.height, canvas.width
    cover, shine, shadow = (np.zeros(height * width, dtype=np.float32) for _ in range(3))
    reach = int(np.ceil(length_px / 2 + width_px)) + 2
    span = np.arange(-reach, reach + 1)
    x, y, dx, dy = (stitches[:, column, None, None] for column in range(4))
    column, row = np.floor(x).astype(int) + span[None, None, :], np.floor(y).astype(int) + span[None, :, None]
    cells = np.where(inside(column, row, width, height), row * width + column, -1)

    def capsule(offset: float, radius: float) -> tuple[Floats, Floats, Floats]:
        """Return the position along and across the stitch, and the signed distance to a capsule of this radius."""
        u = (column - x - offset) * dx + (row - y - offset) * dy
        v = (row - y - offset) * dx - (column - x - offset) * dy
        beyond = np.maximum(np.abs(u) - (length_px / 2 - radius), 0.0)
        return u, v, np.hypot(beyond, v) - radius

    u, v, distance = capsule(0.0, width_px / 2)
    alpha = np.clip(0.5 - distance, 0.0, 1.0)
    across = np.clip(2 * v / width_px, -1.0, 1.0)
    lit = across * (dx * 0.60 - dy * 0.45)  # towards the lamp
    twist = np.sin(2 * np.pi * (u + 0.9 * v) / (width_px * 0.75))
    round_ = np.sqrt(np.clip(1.0 - across**2, 0.0, 1.0))
    bright = 0.72 + 0.34 * round_ - 0.16 * lit + 0.07 * twist
    bright -= 0.25 * np.clip(np.abs(u) / (length_px / 2) - 0.6, 0.0, 1.0)  # the ends sink into the felt
    dark = np.clip(0.5 - capsule(width_px * 0.28, width_px * 0.62)[2] / (width_px * 0.45), 0.0, 1.0)
    seen = (alpha > 0) & (cells >= 0)
    order = np.argsort(alpha[seen], kind="stable")
    at = cells[seen][order]
    cover[at], shine[at] = alpha[seen][order], bright[seen][order]
    cast = (dark > 0) & (cells >= 0)
    np.maximum.at(shadow, cells[cast], dark[cast].astype(np.float32))
    return DrawnThread(*(plane.reshape(height, width) for plane in (cover, shine, shadow)))
