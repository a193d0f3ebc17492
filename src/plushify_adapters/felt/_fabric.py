"""Felt: a cloth made of single fibres, and loose fibres brushed over it."""

import numpy as np

from ._canvas import Canvas
from ._raster import Floats, Labels, blur, slope
from ._recipes import Recipe


def _curls(
    rng: np.random.Generator, x: Floats, y: Floats, angle: Floats, length_px: float, curl: float
) -> tuple[Floats, Floats]:
    """The points, shape (fibres, steps), of bent fibres that start at (x, y), about a pixel apart."""
    steps = max(2, round(length_px))
    bend = rng.normal(0.0, curl, len(x)).astype(np.float32)
    reach = rng.uniform(0.45, 1.0, len(x)).astype(np.float32)
    t = np.linspace(0.0, 1.0, steps, dtype=np.float32)
    heading = angle[:, None] + bend[:, None] * t
    step = (reach * length_px / steps)[:, None]
    return x[:, None] + np.cumsum(np.cos(heading) * step, axis=1), y[:, None] + np.cumsum(
        np.sin(heading) * step, axis=1
    )


def weave(rng: np.random.Generator, recipe: Recipe, canvas: Canvas) -> Floats:
    """A seamless square of felt: the lightness of its fibres, with mean 0 and deviation 1."""
    side = min(1024, max(256, canvas.side // 2))
    length_px = recipe.fibre * canvas.side
    count = int(3.0 * side * side / length_px)
    x, y = (rng.uniform(0, side, count).astype(np.float32) for _ in range(2))
    angle = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    px, py = _curls(rng, x, y, angle, length_px, recipe.curl)
    cells = (py.astype(np.int32) % side) * side + px.astype(np.int32) % side
    tone = rng.normal(0.0, 1.0, count).astype(np.float32)
    strands = np.zeros(side * side, dtype=np.float32)
    strands[cells.ravel()] = np.repeat(tone, cells.shape[1])
    wrapped = np.pad(strands.reshape(side, side), 8, mode="wrap")
    cloth = (0.8 * blur(wrapped, 0.6) + 0.5 * blur(wrapped, 2.0))[8:-8, 8:-8]
    even: Floats = (cloth - cloth.mean()) / cloth.std()
    return even


def lay(cloth: Floats, labels: Labels) -> Floats:
    """Cover each piece with its own cut of the cloth: shifted, and turned by a quarter or not."""
    side = cloth.shape[0]
    height, width = labels.shape
    y, x = np.mgrid[:height, :width].astype(np.int32)
    turned = labels % 2 == 1
    row = (np.where(turned, x, y) + labels * 193) % side
    column = (np.where(turned, y, x) + labels * 331) % side
    laid: Floats = cloth[row, column]
    return laid


def comb(lab: Floats, canvas: Canvas) -> Floats:
    """The direction hair lies in at each pixel of the canvas, in radians: along the photo's own lines.

    The orientation of the smoothed structure tensor, as in Brox et al., "Nonlinear structure tensors" (2006).
    """
    lightness = blur(lab[..., 0], 2.0)
    across, down = (slope(lightness, axis) for axis in (1, 0))
    tensor = canvas.place(blur(np.dstack([across**2 - down**2, 2 * across * down]), 5.0))
    return np.arctan2(tensor[..., 1], tensor[..., 0]) / 2 + np.float32(np.pi / 2)


def brush(rng: np.random.Generator, felt: Floats, nap: Floats, recipe: Recipe, canvas: Canvas) -> Floats:
    """Draw loose fibres over the felt, each in the colour it is rooted in: they soften every edge as wool does.

    Args:
        nap: the direction the hair lies in at each pixel, in radians.
    """
    height, width = canvas.height, canvas.width
    length_px = recipe.fibre * canvas.side
    count = int(0.35 * recipe.fluff * width * height / max(length_px, 1.0))
    x, y = (rng.uniform(canvas.margin, end - canvas.margin, count).astype(np.float32) for end in (width, height))
    root = (np.minimum(y.astype(np.int32), height - 1), np.minimum(x.astype(np.int32), width - 1))
    angle = nap[root] + rng.normal(0.0, 0.55, count).astype(np.float32)
    px, py = _curls(rng, x, y, angle, length_px, recipe.curl)
    column, row = px.astype(np.int32), py.astype(np.int32)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    cells = (row * width + column)[inside]
    shade = 1.0 + 0.07 * rng.normal(0.0, 1.0, count).astype(np.float32)
    colour = felt[root] * shade[:, None]
    owner = np.broadcast_to(np.arange(count, dtype=np.int32)[:, None], inside.shape)[inside]
    strands = np.zeros((height * width, 4), dtype=np.float32)
    strands[cells, :3] = colour[owner]
    strands[cells, 3] = 1.0
    soft = blur(strands.reshape(height, width, 4), 0.6)
    alpha = soft[..., 3:]
    return felt * (1.0 - alpha) + soft[..., :3]
