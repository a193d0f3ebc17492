"""Cut the photo into the pieces of felt it will be sewn from.

Superpixels first (SLIC: Achanta et al., IEEE TPAMI 34(11), 2012), then neighbours are joined where that adds the
least colour error (Ward's criterion), until as many pieces are left as the style wants. So what stands out, such as
an eye, stays a piece of its own however small it is, and a smooth sky becomes one piece.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from ._raster import Floats, Labels

_LIGHTNESS = 0.6
"""Weight of a difference in lightness: less than of one in hue, so that a face and its shaded half stay together."""


@dataclass(frozen=True, slots=True)
class Patches:
    """The pieces: which pixel belongs to which, and each one's mean colour, size in pixels, and neighbours."""

    labels: Labels
    colours: Floats
    areas: Floats
    neighbours: list[list[int]]


def cut(lab: Floats, count: int, *, weight: Floats, cell_px: float = 6.0) -> Patches:
    """Cut an Oklab picture into about `count` pieces, more of them where `weight` is high."""
    return join(describe(_superpixels(lab, cell_px), lab), lab, count, weight)


def describe(labels: Labels, lab: Floats) -> Patches:
    """Number the pieces from 0 without gaps and measure them."""
    used = np.bincount(labels.ravel()) > 0
    labels = (np.cumsum(used) - 1).astype(np.int32)[labels]
    areas = np.bincount(labels.ravel()).astype(np.float32)
    sums = [np.bincount(labels.ravel(), weights=lab[..., band].ravel()) for band in range(3)]
    colours = (np.stack(sums, axis=1) / areas[:, None]).astype(np.float32)
    neighbours: list[list[int]] = [[] for _ in areas]
    for a, b in touching(labels, [(0, 1), (1, 0)]):
        neighbours[a].append(b)
        neighbours[b].append(a)
    return Patches(labels, colours, areas, neighbours)


def touching(labels: Labels, steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The pairs of different labels that some pixel and the pixel (down, right) of it have, smaller first."""
    height, width = labels.shape
    count = int(labels.max()) + 1
    found = []
    for down, right in steps:
        here = labels[: max(height - down, 0), max(-right, 0) : max(width - max(right, 0), 0)]
        there = labels[down:, max(right, 0) : max(width + min(right, 0), 0)]
        differ = here != there
        low, high = np.minimum(here, there)[differ], np.maximum(here, there)[differ]
        found.append(np.unique(low.astype(np.int64) * count + high))
    pairs = np.unique(np.concatenate(found))
    return list(zip((pairs // count).tolist(), (pairs % count).tolist(), strict=True))


def _superpixels(lab: Floats, cell_px: float, *, compactness: float = 0.006, rounds: int = 3) -> Labels:
    height, width = lab.shape[:2]
    rows, columns = max(1, round(height / cell_px)), max(1, round(width / cell_px))
    count = rows * columns
    y, x = np.mgrid[:height, :width].astype(np.float32)
    row, column = (y * rows / height).astype(np.int32), (x * columns / width).astype(np.int32)
    features = [band.ravel() for band in (*np.moveaxis(lab, -1, 0), y * compactness, x * compactness)]
    steps = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    candidates = [
        (np.clip(row + dy, 0, rows - 1) * columns + np.clip(column + dx, 0, columns - 1)).ravel() for dy, dx in steps
    ]
    labels = candidates[0]
    for _ in range(rounds):
        sizes = np.maximum(np.bincount(labels, minlength=count), 1)
        centres = [
            (np.bincount(labels, weights=feature, minlength=count) / sizes).astype(np.float32) for feature in features
        ]
        best = np.full(len(labels), np.inf, dtype=np.float32)
        for candidate in candidates:
            distance = np.zeros_like(best)
            for feature, centre in zip(features, centres, strict=True):
                difference = feature - centre[candidate]
                distance += difference * difference
            closer = distance < best
            labels = np.where(closer, candidate, labels)
            best = np.where(closer, distance, best)
    cells: Labels = labels.reshape(height, width).astype(np.int32)
    return cells


def join(start: Patches, lab: Floats, count: int, weight: Floats) -> Patches:
    """Join neighbours until `count` are left, where that changes the picture least."""
    bands: list[list[float]] = start.colours.T.tolist()
    first, second, third = bands
    areas: list[float] = np.bincount(start.labels.ravel(), weights=weight.ravel()).tolist()
    neighbours = [set(others) for others in start.neighbours]
    parent = list(range(len(areas)))

    def cost(a: int, b: int) -> float:
        d, e, f = first[a] - first[b], second[a] - second[b], third[a] - third[b]
        return areas[a] * areas[b] / (areas[a] + areas[b]) * (_LIGHTNESS * d * d + e * e + f * f)

    queue = [(cost(a, b), a, b) for a, others in enumerate(neighbours) for b in others if a < b]
    heapq.heapify(queue)
    left = len(areas)
    while left > count and queue:
        _, a, b = heapq.heappop(queue)
        if parent[a] != a or parent[b] != b:
            continue
        # The joined piece gets a new number, so that old entries of the queue are recognised as stale.
        new, total = len(areas), areas[a] + areas[b]
        for band in bands:
            band.append((band[a] * areas[a] + band[b] * areas[b]) / total)
        areas.append(total)
        parent[a] = parent[b] = new
        parent.append(new)
        neighbours.append((neighbours[a] | neighbours[b]) - {a, b})
        for other in neighbours[new]:
            neighbours[other] -= {a, b}
            neighbours[other].add(new)
            heapq.heappush(queue, (cost(new, other), new, other))
        left -= 1
    # A joined piece always has a higher number, so one pass from the top finds every piece's last owner.
    for index in range(len(parent) - 1, -1, -1):
        parent[index] = parent[parent[index]]
    return describe(np.array(parent, dtype=np.int32)[start.labels], lab)
