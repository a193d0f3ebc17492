"""The calm place the cushion lies in: paper of one colour, a pool of light, soft shadows."""

import numpy as np

from ._canvas import Canvas
from ._raster import Floats, smoothstep
from ._recipes import Recipe


def studio(recipe: Recipe, canvas: Canvas) -> Floats:
    """The backdrop with the cushion's shadow on it, sRGB in 0..1."""
    x, y = canvas.pixels()
    side = canvas.side
    glow = np.exp(-(((x / canvas.width - 0.42) / 0.6) ** 2) - ((y / canvas.height - 0.36) / 0.6) ** 2)
    wide = canvas.depth(x - 0.012 * side, y - 0.020 * side)
    close = canvas.depth(x - 0.003 * side, y - 0.005 * side)
    shadow = 0.34 * smoothstep(-0.050 * side, 0.010 * side, wide) + 0.30 * smoothstep(
        -0.012 * side, 0.004 * side, close
    )
    brightness = (0.82 + 0.21 * glow) * (1.0 - shadow)
    # A shadow on coloured paper is deeper in colour, not only darker.
    colour = np.array(recipe.backdrop, dtype=np.float32)
    return (colour ** (1.0 + 0.5 * shadow[..., None]) * brightness[..., None]).astype(np.float32)


def lay_down(cushion: Floats, backdrop: Floats, canvas: Canvas) -> Floats:
    """Put the cushion, cut to its shape, on the backdrop."""
    cover = np.clip(canvas.depth(*canvas.pixels()) + 0.5, 0.0, 1.0)[..., None].astype(np.float32)
    picture: Floats = backdrop + (cushion - backdrop) * cover
    return picture
