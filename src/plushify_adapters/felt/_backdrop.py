"""Backdrop of the cushion: paper of one colour with a spot of light and the shadow of the cushion."""

import numpy as np

from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._raster import Floats, smoothstep
from plushify_adapters.felt._recipes import Recipe


def draw_backdrop(recipe: Recipe, canvas: Canvas) -> Floats:
    """Return the backdrop with the shadow of the cushion, sRGB in 0..1."""
    x, y = canvas.pixels()
    side = canvas.side
    glow = np.exp(-(((x / canvas.width - 0.42) / 0.6) ** 2) - ((y / canvas.height - 0.36) / 0.6) ** 2)
    wide = canvas.depth(x - 0.012 * side, y - 0.020 * side)
    close = canvas.depth(x - 0.003 * side, y - 0.005 * side)
    soft_shadow = smoothstep(-0.050 * side, 0.010 * side, wide)
    contact_shadow = smoothstep(-0.012 * side, 0.004 * side, close)
    shadow = 0.34 * soft_shadow + 0.30 * contact_shadow
    brightness = (0.82 + 0.21 * glow) * (1.0 - shadow)
    # The exponent saturates the shadow, as on real coloured paper.
    colour = np.array(recipe.backdrop, dtype=np.float32)
    return (colour ** (1.0 + 0.5 * shadow[..., None]) * brightness[..., None]).astype(np.float32)


def place_on_backdrop(cushion: Floats, backdrop: Floats, canvas: Canvas) -> Floats:
    """Return the picture with the felt, cut to the shape of the cushion, on the backdrop."""
    cover = np.clip(canvas.depth(*canvas.pixels()) + 0.5, 0.0, 1.0)[..., None].astype(np.float32)
    picture: Floats = backdrop + (cushion - backdrop) * cover
    return picture
