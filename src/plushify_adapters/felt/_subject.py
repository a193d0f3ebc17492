"""What the photo is about: how much a piece stands apart from the surroundings."""

import heapq

import numpy as np

from ._patches import Patches
from ._raster import Floats, smoothstep


def attention(height: int, width: int) -> Floats:
    """Where people look first, about 2 in the upper middle and 0.4 at the edges."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across, down = (x + 0.5) / width - 0.5, (y + 0.5) / height - 0.45
    weight: Floats = 0.4 + 1.8 * np.exp(-((across / 0.28) ** 2) - (down / 0.32) ** 2)
    return weight


def prominence(patches: Patches) -> Floats:
    """For each piece, 0 if it is background and 1 if it is subject.

    Background is what can be reached from the sides and the top of the photo without a step in colour (geodesic
    saliency: Wei et al., ECCV 2012). The lower edge does not count: that is where people are cut off.
    """
    labels = patches.labels
    border = np.concatenate([labels[0], labels[:, 0], labels[:, -1]])
    share = np.bincount(border, minlength=len(patches.areas)) / np.sqrt(patches.areas)
    far = np.where(share > 0.6, 0.0, np.inf)
    queue = [(0.0, int(piece)) for piece in np.flatnonzero(share > 0.6)]
    while queue:
        distance, piece = heapq.heappop(queue)
        for other in patches.neighbours[piece]:
            step = float(np.linalg.norm(patches.colours[piece] - patches.colours[other]))
            there = distance + max(0.0, step - 0.03)
            if there < far[other]:
                far[other] = there
                heapq.heappush(queue, (there, other))
    apart = smoothstep(0.03, 0.14, far.astype(np.float32))
    middle = np.bincount(labels.ravel(), weights=attention(*labels.shape).ravel()) / patches.areas
    central = smoothstep(0.5, 1.7, middle.astype(np.float32))
    prominent: Floats = np.maximum(apart, 0.75 * central)
    return prominent
