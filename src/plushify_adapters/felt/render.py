"""From a photo to a felt picture, step by step."""

import numpy as np
import pyvips

from ._canvas import Canvas
from ._dye import dye
from ._fabric import brush, comb, lay, weave
from ._outlines import trim
from ._patches import cut, join
from ._photo import enlarge_middle, expose, read
from ._raster import Floats, blur, resample
from ._recipes import CLASSIC, RECIPES, Recipe
from ._relief import light, padding, shade
from ._seams import around_cushion, between_parts
from ._stitches import Thread, sew
from ._studio import lay_down, studio
from ._subject import attention

_PHOTO_PX = 576
"""Longest side of the photo as it is looked at: what is finer becomes fabric, not detail."""

_GRID = 2 / 3
"""Size of the grid on which pieces are cut, relative to that."""

_FUZZ_PX = 0.6
"""How soft the cut edge of a piece is."""

_SEED = 20
"""Of the fibres. Fixed, so that a photo always gives the same picture."""


def render(photo: bytes, style: str, longest_side_px: int) -> bytes:
    """Make a felt picture of a photo.

    The same photo, style and size always give the same bytes.

    Args:
        photo: a JPEG, a PNG, a WebP or any other picture libvips reads.
        style: one of the five built-in styles; any other is made by the recipe of `classic`.
        longest_side_px: of the result; the other side follows from the photo's aspect ratio.

    Returns:
        A PNG in sRGB.

    Raises:
        UnreadablePhoto: the photo cannot be decoded.
    """
    recipe = RECIPES.get(style, CLASSIC)
    photo_lab, width, height = read(photo, _PHOTO_PX, recipe.backdrop)
    seen = enlarge_middle(expose(photo_lab), recipe.bulge)
    grid = blur(resample(seen, *(max(1, round(_GRID * side)) for side in seen.shape[:2])), 0.9)
    canvas = _canvas(width, height, longest_side_px, grid, recipe)
    rng = np.random.default_rng(_SEED)

    looked_at = attention(*grid.shape[:2])
    pieces = cut(grid, recipe.pieces, weight=looked_at)
    parts = join(pieces, grid, recipe.parts, weight=looked_at)
    labels, clearness = trim(pieces, max(0.8, recipe.roundness * max(grid.shape)), canvas)

    colours, shading = dye(seen, pieces, recipe)
    # Next to an outline the shading would bring back the photo's own, rougher one.
    inside = recipe.detail + (1.0 - recipe.detail) * clearness
    felt = blur(colours[labels], _FUZZ_PX) + canvas.place(shading) * inside[..., None]
    stitches = np.concatenate([between_parts(parts, grid, recipe, canvas), around_cushion(recipe, canvas)])
    thread = sew(stitches, recipe.stitch * canvas.side, recipe.thread * canvas.side, canvas)

    cloth = lay(weave(rng, recipe, canvas), labels)
    relief = padding(pieces, parts, clearness, recipe, canvas)
    relief -= blur(thread.cover, 0.004 * canvas.side) * 0.006 * canvas.side  # the thread pulls the felt in
    relief = blur(relief, 0.0016 * canvas.side) + cloth * recipe.nap * 0.0024 * canvas.side
    felt = shade(felt, light(relief, canvas) * (1.0 + recipe.nap * cloth))
    felt = brush(rng, felt, comb(grid, canvas), recipe, canvas)
    felt = _stitched(felt, thread, recipe, canvas)
    return _png(lay_down(felt, studio(recipe, canvas), canvas))


def _canvas(width: int, height: int, longest_side_px: int, grid: Floats, recipe: Recipe) -> Canvas:
    scale = longest_side_px / max(width, height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    shorter = min(width, height)
    return Canvas(
        width=width,
        height=height,
        grid_width=grid.shape[1],
        grid_height=grid.shape[0],
        margin=0.055 * shorter,
        corner=recipe.corner * shorter,
    )


def _stitched(felt: Floats, thread: Thread, recipe: Recipe, canvas: Canvas) -> Floats:
    cover = thread.cover[..., None]
    shaded = felt * (1.0 - 0.45 * blur(thread.shadow, 0.001 * canvas.side)[..., None] * (1.0 - cover))
    colour = 0.62 * felt if recipe.thread_colour is None else np.array(recipe.thread_colour, dtype=np.float32)
    return shaded + (colour * thread.shine[..., None] - shaded) * cover


def _png(picture: Floats) -> bytes:
    height, width, bands = picture.shape
    pixels = np.rint(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
    image = pyvips.Image.new_from_memory(pixels, width, height, bands, "uchar").copy(interpretation="srgb")
    # Wool is noise, which hardly compresses: more effort would cost time and save little.
    return bytes(image.pngsave_buffer(compression=2))
