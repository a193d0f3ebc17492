"""Segmentation of the photo into pieces of felt.

The photo is cut into superpixels (SLIC: Achanta et al., IEEE TPAMI 34(11), 2012). Neighbours are then merged where
that adds the least colour error (Ward's criterion), until the style's number of pieces is left. So a small detail
that contrasts with its surroundings, such as an eye, stays a piece, and a smooth sky becomes one piece.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from plushify_adapters.felt._raster import Floats, Labels

_LIGHTNESS = 0.6
"""Weight of lightness relative to hue in a colour error; below 1, so that a half-shaded face stays one piece."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Segmentation of an image into pieces numbered from 0.

    Args:
        labels: number of the piece that each pixel belongs to.
        colours: mean Oklab colour of each piece.
        areas: size of each piece in pixels.
        neighbours: numbers of the pieces that each piece touches.
    """

    labels: Labels
    colours: Floats
    areas: Floats
    neighbours: list[list[int]]


def cut_into_pieces(lab: Floats, count: int, *, weight: Floats, cell_px: float = 6.0) -> Pieces:
    """Cut an Oklab image into about `count` pieces, which are smaller where `weight` is high.

    Args:
        lab: the image in Oklab.
        count: number of pieces.
        weight: importance of each pixel.
        cell_px: side of a superpixel, in px.
    """
    return merge_pieces(measure_pieces(_superpixels(lab, cell_px), lab), lab, count, weight)


def measure_pieces(labels: Labels, lab: Floats) -> Pieces:
    """Number the pieces from 0 without gaps, and measure their colours, areas and neighbours."""
    used = np.bincount(labels.ravel()) > 0
    labels = (np.cumsum(used) - 1).astype(np.int32)[labels]
    areas = np.bincount(labels.ravel()).astype(np.float32)
    sums = [np.bincount(labels.ravel(), weights=lab[..., band].ravel()) for band in range(3)]
    colours = (np.stack(sums, axis=1) / areas[:, None]).astype(np.float32)
    neighbours: list[list[int]] = [[] for _ in areas]
    for a, b in touching_pairs(labels, [(0, 1), (1, 0)]):
        neighbours[a].append(b)
        neighbours[b].append(a)
    return Pieces(labels, colours, areas, neighbours)


def touching_pairs(labels: Labels, steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the pairs of different labels that occur one step apart, without repetition, smaller label first.

    Args:
        labels: label of each pixel.
        steps: offsets (down, right) from one pixel to the other, in px; `down` is not negative.
    """
    height, width = labels.shape
    count = int(labels.max()) + 1
    found_pairs = []
    for down, right in steps:
        here = labels[: max(height - down, 0), max(-right, 0) : max(width - max(right, 0), 0)]
        there = labels[down:, max(right, 0) : max(width + min(right, 0), 0)]
        differ = here != there
        low, high = np.minimum(here, there)[differ], np.maximum(here, there)[differ]
        found_pairs.append(np.unique(low.astype(np.int64) * count + high))
    pairs = np.unique(np.concatenate(found_pairs))
    return list(zip((pairs // count).tolist(), (pairs % count).tolist(), strict=True))


def _superpixels(lab: Floats, cell_px: float, *, compactness: float = 0.006, rounds: int = 3) -> Labels:
    """Return the SLIC superpixel of each pixel: k-means over colour and position, starting from a regular grid."""
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


def merge_pieces(pieces: Pieces, lab: Floats, count: int, weight: Floats) -> Pieces:
    """Merge the neighbours with the least colour error until `count` pieces are left.

    Args:
        pieces: the pieces to merge.
        lab: the image in Oklab.
        count: number of pieces to keep.
        weight: importance of each pixel.
    """
    bands: list[list[float]] = pieces.colours.T.tolist()
    first, second, third = bands
    areas: list[float] = np.bincount(pieces.labels.ravel(), weights=weight.ravel()).tolist()
    neighbours = [set(others) for others in pieces.neighbours]
    parent = list(range(len(areas)))

    def cost(a: int, b: int) -> float:
        d, e, f = first[a] - first[b], second[a] - second[b], third[a] - third[b]
        return areas[a] * areas[b] / (areas[a] + areas[b]) * (_LIGHTNESS * d * d + e * e + f * f)

    queue = [(cost(a, b), a, b) for a, others in enumerate(neighbours) for b in others if a < b]
    heapq.heapify(queue)
    remaining = len(areas)
    while remaining > count and queue:
        _, a, b = heapq.heappop(queue)
        if parent[a] != a or parent[b] != b:
            continue
        # A new number for the merged piece makes older entries in the queue recognisable as stale.
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
        remaining -= 1
    # A merged piece has a higher number than its parts, so one pass from the top resolves every chain of parents.
    for index in range(len(parent) - 1, -1, -1):
        parent[index] = parent[parent[index]]
    return measure_pieces(np.array(parent, dtype=np.int32)[pieces.labels], lab)
