"""Drawing of a felt picture from a photo."""

import numpy as np
import pyvips

from plushify_adapters.felt._backdrop import draw_backdrop, place_on_backdrop
from plushify_adapters.felt._canvas import Canvas
from plushify_adapters.felt._dye import dye
from plushify_adapters.felt._fabric import draw_loose_fibres, felt_texture, fibre_direction, texture_of_pieces
from plushify_adapters.felt._outlines import round_outlines
from plushify_adapters.felt._photo import enlarge_middle, normalise_exposure, read_photo
from plushify_adapters.felt._pieces import cut_into_pieces, merge_pieces
from plushify_adapters.felt._raster import Floats, blur, resample
from plushify_adapters.felt._recipes import Recipe, recipe_for
from plushify_adapters.felt._relief import apply_brightness, brightness, padding_height
from plushify_adapters.felt._seams import stitches_around_cushion, stitches_between_parts
from plushify_adapters.felt._stitches import DrawnThread, draw_stitches
from plushify_adapters.felt._subject import attention_weight

_PHOTO_PX = 576
"""Longest side to which the photo is scaled; finer detail would be hidden by the fabric."""

_GRID_SCALE = 2 / 3
"""Size of the grid on which pieces are cut, relative to the scaled photo."""

_EDGE_BLUR_PX = 0.6
"""Blur of the edges between pieces, in px of the picture."""

_SEED = 20
"""Seed of the random fibres. It is fixed, so that the same photo always gives the same picture."""


def render(photo: bytes, style: str, longest_side_px: int) -> bytes:
    """Draw a felt picture of a photo.

    The same photo, style and size always give the same bytes.

    Args:
        photo: a JPEG, a PNG, a WebP or any other format that libvips reads.
        style: id of a style; a style without a recipe of its own is drawn with `CUSTOM_STYLE_RECIPE`.
        longest_side_px: of the picture; the other side follows from the photo's aspect ratio.

    Returns:
        A PNG in sRGB.

    Raises:
        UnreadablePhoto: the photo cannot be decoded.
    """
    recipe = recipe_for(style)
    decoded, width, height = read_photo(photo, _PHOTO_PX, recipe.backdrop)
    photo_lab = enlarge_middle(normalise_exposure(decoded), recipe.bulge)
    grid = blur(resample(photo_lab, *(max(1, round(_GRID_SCALE * side)) for side in photo_lab.shape[:2])), 0.9)
    canvas = _canvas(width, height, longest_side_px, grid, recipe)
    rng = np.random.default_rng(_SEED)

    weight = attention_weight(*grid.shape[:2])
    pieces = cut_into_pieces(grid, recipe.pieces, weight=weight)
    parts = merge_pieces(pieces, grid, recipe.parts, weight=weight)
    labels, clearness = round_outlines(pieces, max(0.8, recipe.roundness * max(grid.shape)), canvas)

    colours, shading = dye(photo_lab, pieces, recipe)
    # Shading near an outline would show the rougher outline of the photo.
    kept_shading = recipe.detail + (1.0 - recipe.detail) * clearness
    felt = blur(colours[labels], _EDGE_BLUR_PX) + canvas.upscale(shading) * kept_shading[..., None]
    stitches = np.concatenate(
        [stitches_between_parts(parts, grid, recipe, canvas), stitches_around_cushion(recipe, canvas)]
    )
    thread = draw_stitches(stitches, recipe.stitch * canvas.side, recipe.thread * canvas.side, canvas)

    texture = texture_of_pieces(felt_texture(rng, recipe, canvas), labels)
    relief = padding_height(pieces, parts, clearness, recipe, canvas)
    relief -= blur(thread.cover, 0.004 * canvas.side) * 0.006 * canvas.side  # the thread pulls the felt in
    relief = blur(relief, 0.0016 * canvas.side) + texture * recipe.nap * 0.0024 * canvas.side
    felt = apply_brightness(felt, brightness(relief, canvas) * (1.0 + recipe.nap * texture))
    felt = draw_loose_fibres(rng, felt, fibre_direction(grid, canvas), recipe, canvas)
    felt = _with_thread(felt, thread, recipe, canvas)
    return _png(place_on_backdrop(felt, draw_backdrop(recipe, canvas), canvas))


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


def _with_thread(felt: Floats, thread: DrawnThread, recipe: Recipe, canvas: Canvas) -> Floats:
    """Return the felt with the stitches and their shadows on it."""
    cover = thread.cover[..., None]
    shaded = felt * (1.0 - 0.45 * blur(thread.shadow, 0.001 * canvas.side)[..., None] * (1.0 - cover))
    colour = 0.62 * felt if recipe.thread_colour is None else np.array(recipe.thread_colour, dtype=np.float32)
    return shaded + (colour * thread.shine[..., None] - shaded) * cover


def _png(picture: Floats) -> bytes:
    height, width, bands = picture.shape
    pixels = np.rint(np.clip(picture, 0.0, 1.0) * 255).astype(np.uint8)
    image = pyvips.Image.new_from_memory(pixels, width, height, bands, "uchar").copy(interpretation="srgb")
    # The texture is noise, which hardly compresses: a higher level would take longer and save little.
    return bytes(image.pngsave_buffer(compression=2))
