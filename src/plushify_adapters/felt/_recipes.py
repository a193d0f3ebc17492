"""Recipes: the parameters with which felt is drawn in each style.

Lengths are fractions of the longest side, so that a style looks the same at every size.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """Parameters of one style."""

    pieces: int
    """Number of pieces of felt."""
    parts: int
    """Number of padded parts that the pieces form; seams run between parts."""
    colours: int
    """Number of colours of felt."""
    roundness: float
    """Sigma of the smoothing of outlines."""
    detail: float
    """Fraction of the photo's weak shading that is kept: 0 gives flat cloth, 1 a wool painting."""
    lift: float
    """Oklab lightness that black gets; higher values give pastel colours."""
    ceiling: float
    """Oklab lightness that white gets."""
    chroma: float
    """Factor on the chroma of every colour."""
    tint: tuple[float, float]
    """Oklab a and b that are added to every colour."""
    fibre: float
    """Length of a fibre."""
    curl: float
    """Standard deviation of the bend of a fibre, in radians."""
    nap: float
    """Strength of the texture of the cloth."""
    fluff: float
    """Density of the loose fibres on the cloth, as a factor."""
    puff: float
    """Thickness of the padding, as a factor."""
    stitch: float
    """Length of a stitch."""
    thread: float
    """Width of the thread."""
    thread_colour: tuple[float, float, float] | None
    """Colour of the thread, sRGB in 0..1; `None` draws it in a darker tone of the felt under it."""
    seam_contrast: float
    """Oklab distance from which two parts get a visible seam between them."""
    backdrop: tuple[float, float, float]
    """Colour of the backdrop, sRGB in 0..1."""
    calm: float
    """Fraction by which the background of the photo fades to the colour of the backdrop."""
    corner: float
    """Radius of the cushion's corners, as a fraction of its shorter side."""
    bulge: float
    """Enlargement of the upper middle, where the head usually is; 0 is none."""


RECIPES = {
    "classic": Recipe(
        pieces=130, parts=24, colours=16, roundness=0.0042, detail=0.45,
        lift=0.16, ceiling=0.95, chroma=0.95, tint=(0.004, 0.012),
        fibre=0.020, curl=1.3, nap=0.055, fluff=1.5, puff=1.5,
        stitch=0.0135, thread=0.0042, thread_colour=(0.98, 0.94, 0.85), seam_contrast=0.15,
        backdrop=(0.86, 0.80, 0.72), corner=0.09, calm=0.35, bulge=0.0,
    ),
    "kawaii": Recipe(
        pieces=95, parts=16, colours=10, roundness=0.0065, detail=0.30,
        lift=0.44, ceiling=0.97, chroma=1.10, tint=(0.030, 0.004),
        fibre=0.011, curl=2.2, nap=0.040, fluff=1.2, puff=2.0,
        stitch=0.0115, thread=0.0044, thread_colour=(1.0, 0.97, 0.98), seam_contrast=0.12,
        backdrop=(0.98, 0.86, 0.89), corner=0.16, calm=0.55, bulge=0.05,
    ),
    "realistic": Recipe(
        pieces=320, parts=26, colours=40, roundness=0.0030, detail=0.80,
        lift=0.10, ceiling=0.95, chroma=0.95, tint=(0.002, 0.006),
        fibre=0.032, curl=0.8, nap=0.05, fluff=2.0, puff=1.0,
        stitch=0.010, thread=0.0026, thread_colour=None, seam_contrast=0.22,
        backdrop=(0.72, 0.71, 0.69), corner=0.03, calm=0.22, bulge=0.0,
    ),
    "cartoon": Recipe(
        pieces=110, parts=16, colours=12, roundness=0.0060, detail=0.10,
        lift=0.14, ceiling=0.97, chroma=1.55, tint=(0.0, 0.006),
        fibre=0.012, curl=1.6, nap=0.040, fluff=0.8, puff=1.6,
        stitch=0.0185, thread=0.0058, thread_colour=(0.20, 0.16, 0.22), seam_contrast=0.16,
        backdrop=(0.62, 0.83, 0.90), corner=0.06, calm=0.5, bulge=0.0,
    ),
    "chibi": Recipe(
        pieces=95, parts=16, colours=9, roundness=0.0062, detail=0.25,
        lift=0.26, ceiling=0.97, chroma=1.25, tint=(-0.012, 0.012),
        fibre=0.014, curl=2.0, nap=0.045, fluff=1.2, puff=2.4,
        stitch=0.0220, thread=0.0066, thread_colour=(1.0, 0.93, 0.70), seam_contrast=0.12,
        backdrop=(0.80, 0.91, 0.86), corner=0.22, calm=0.5, bulge=0.35,
    ),
}  # fmt: skip
"""Recipes by the id of the style: one for each style of `plushify_core.DEFAULT_CATALOG`."""

CUSTOM_STYLE_RECIPE = RECIPES["classic"]
"""Recipe for styles that only an operator's own catalog has, whose looks felt cannot know."""


def recipe_for(style_id: str) -> Recipe:
    """Return the recipe of a style, or `CUSTOM_STYLE_RECIPE` for a style of an operator's own catalog."""
    return RECIPES.get(style_id, CUSTOM_STYLE_RECIPE)
