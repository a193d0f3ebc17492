"""Estimation of which pieces of the photo are subject and which are background."""

import heapq

import numpy as np

from plushify_adapters.felt._pieces import Pieces
from plushify_adapters.felt._raster import Floats, smoothstep


def attention_weight(height: int, width: int) -> Floats:
    """Return how likely people look at each pixel first: about 2 in the upper middle, 0.4 at the edges."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across, down = (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.45
    weight: Floats = 0.4 + 1.8 * np.exp(-((across / 0.28) ** 2) - (down / 0.32) ** 2)
    return weight


def prominence(pieces: Pieces) -> Floats:
    """Return how much each piece belongs to the subject: 0 for background, 1 for subject.

    Pieces count as background when a path from the left, top or right edge reaches them without a large step in
    colour (geodesic saliency: Wei et al., ECCV 2012). The lower edge is left out because it often cuts through the
    subject. A piece at the centre gets at least 0.75.
    """
    labels = pieces.labels
    edges = np.concatenate([labels[0], labels[:, 0], labels[:, -1]])
    share = np.bincount(edges, minlength=len(pieces.areas)) / np.sqrt(pieces.areas)
    at_edge = share > 0.6
    shortest = np.where(at_edge, 0.0, np.inf)
    queue = [(0.0, int(piece)) for piece in np.flatnonzero(at_edge)]
    while queue:
        distance, piece = heapq.heappop(queue)
        for other in pieces.neighbours[piece]:
            step = float(np.linalg.norm(pieces.colours[piece] - pieces.colours[other]))
            through_piece = distance + max(0.0, step - 0.03)
            if through_piece < shortest[other]:
                shortest[other] = through_piece
                heapq.heappush(queue, (through_piece, other))
    distinct = smoothstep(0.03, 0.14, shortest.astype(np.float32))
    mean_attention = np.bincount(labels.ravel(), weights=attention_weight(*labels.shape).ravel()) / pieces.areas
    central = smoothstep(0.5, 1.7, mean_attention.astype(np.float32))
    prominent: Floats = np.maximum(distinct, 0.75 * central)
    return prominent
