"""Felt cloth: a texture of single fibres, and loose fibres drawn over it."""

import numpy as np

from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._raster import Floats, Labels, blur, inside, slope
from plushify_adapters.felt._recipes import Recipe


def _fibre_points(
    rng: np.random.Generator, x: Floats, y: Floats, angle: Floats, length_px: float, curl: float
) -> tuple[Floats, Floats]:
    """Return x and y of points about 1 px apart along bent fibres, each of shape (fibres, steps).

    Args:
        rng: source of the random bends and lengths.
        x, y: start of each fibre, in px.
        angle: direction at the start of each fibre, in radians.
        length_px: length of the longest fibre.
        curl: standard deviation of the bend, in radians.
    """
    steps = max(2, round(length_px))
    bend = rng.normal(0.0, curl, len(x)).astype(np.float32)
    reach = rng.uniform(0.45, 1.0, len(x)).astype(np.float32)
    t = np.linspace(0.0, 1.0, steps, dtype=np.float32)
    heading = angle[:, None] + bend[:, None] * t
    step = (reach * length_px / steps)[:, None]
    across, down = np.cos(heading) * step, np.sin(heading) * step
    return x[:, None] + np.cumsum(across, axis=1), y[:, None] + np.cumsum(down, axis=1)


def felt_texture(rng: np.random.Generator, recipe: Recipe, canvas: Canvas) -> Floats:
    """Return the lightness of a square of felt that tiles seamlessly, with mean 0 and standard deviation 1."""
    side = min(1024, max(256, canvas.side // 2))
    length_px = recipe.fibre * canvas.side
    count = int(3.0 * side * side / length_px)
    x, y = (rng.uniform(0, side, count).astype(np.float32) for _ in range(2))
    angle = rng.uniform(0, 2 * np.pi, count).astype(np.float32)
    px, py = _fibre_points(rng, x, y, angle, length_px, recipe.curl)
    cells = (py.astype(np.int32) % side) * side + px.astype(np.int32) % side
    tone = rng.normal(0.0, 1.0, count).astype(np.float32)
    strands = np.zeros(side * side, dtype=np.float32)
    strands[cells.ravel()] = np.repeat(tone, cells.shape[1])
    wrapped = np.pad(strands.reshape(side, side), 8, mode="wrap")
    texture = (0.8 * blur(wrapped, 0.6) + 0.5 * blur(wrapped, 2.0))[8:-8, 8:-8]
    normalised: Floats = (texture - texture.mean()) / texture.std()
    return normalised


def texture_of_pieces(texture: Floats, labels: Labels) -> Floats:
    """Return the texture at each pixel, with its own shift in each piece, and transposed in every second piece."""
    side = texture.shape[0]
    height, width = labels.shape
    y, x = np.mgrid[:height, :width].astype(np.int32)
    transposed = labels % 2 == 1
    row = (np.where(transposed, x, y) + labels * 193) % side
    column = (np.where(transposed, y, x) + labels * 331) % side
    covered: Floats = texture[row, column]
    return covered


def fibre_direction(lab: Floats, canvas: Canvas) -> Floats:
    """Return the direction in which fibres lie at each pixel of the canvas, in radians: along edges of the photo.

    This is the orientation of the smoothed structure tensor, as in Brox et al., "Nonlinear structure tensors" (2006).
    """
    lightness = blur(lab[..., 0], 2.0)
    across, down = (slope(lightness, axis) for axis in (1, 0))
    tensor = canvas.upscale(blur(np.dstack([across**2 - down**2, 2 * across * down]), 5.0))
    return np.arctan2(tensor[..., 1], tensor[..., 0]) / 2 + np.float32(np.pi / 2)


def draw_loose_fibres(
    rng: np.random.Generator, felt: Floats, direction: Floats, recipe: Recipe, canvas: Canvas
) -> Floats:
    """Draw loose fibres over the felt, each in the colour at its root, which softens every edge.

    Args:
        rng: source of the random positions, directions and tones.
        felt: the felt so far, sRGB in 0..1.
        direction: direction of the fibres at each pixel, in radians.
        recipe: the style.
        canvas: size of the picture.
    """
    height, width = canvas.height, canvas.width
    length_px = recipe.fibre * canvas.side
    count = int(0.35 * recipe.fluff * width * height / max(length_px, 1.0))
    x, y = (rng.uniform(canvas.margin, end - canvas.margin, count).astype(np.float32) for end in (width, height))
    root = (np.minimum(y.astype(np.int32), height - 1), np.minimum(x.astype(np.int32), width - 1))
    angle = direction[root] + rng.normal(0.0, 0.55, count).astype(np.float32)
    px, py = _fibre_points(rng, x, y, angle, length_px, recipe.curl)
    column, row = px.astype(np.int32), py.astype(np.int32)
    visible = inside(column, row, width, height)
    cells = (row * width + column)[visible]
    tone = 1.0 + 0.07 * rng.normal(0.0, 1.0, count).astype(np.float32)
    colour = felt[root] * tone[:, None]
    owner = np.broadcast_to(np.arange(count, dtype=np.int32)[:, None], visible.shape)[visible]
    strands = np.zeros((height * width, 4), dtype=np.float32)
    strands[cells, :3] = colour[owner]
    strands[cells, 3] = 1.0
    soft = blur(strands.reshape(height, width, 4), 0.6)
    alpha = soft[..., 3:]
    return felt * (1.0 - alpha) + soft[..., :3]
