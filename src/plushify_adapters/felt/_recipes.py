"""The five styles as numbers: what each felt picture is made of.

Lengths are fractions of the longest side, so that a style looks the same at every size.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one style cuts, dyes, pads, sews and shows its felt."""

    pieces: int
    """How many pieces of felt the picture is cut into."""
    parts: int
    """How many padded parts those pieces form; the seams run between parts."""
    colours: int
    """How many colours of felt there are."""
    roundness: float
    """How far the outlines are smoothed."""
    detail: float
    """How much of the photo's own shading the felt keeps: 0 is flat cloth, 1 a wool painting."""
    lift: float
    """Pastel: how far the darkest tone is raised, in Oklab lightness."""
    ceiling: float
    """The lightest tone, in Oklab lightness."""
    chroma: float
    """How vivid the colours are; 1 leaves them as they are."""
    tint: tuple[float, float]
    """Dye added to every colour, as Oklab a and b."""
    fibre: float
    """Length of a fibre."""
    curl: float
    """How much a fibre bends, in radians."""
    nap: float
    """How strongly the weave shows."""
    fluff: float
    """How many loose fibres cover the cloth: 1 covers it once."""
    puff: float
    """How thickly it is stuffed."""
    stitch: float
    """Length of a stitch."""
    thread: float
    """Width of the thread."""
    thread_colour: tuple[float, float, float] | None
    """sRGB in 0..1; none is thread in the colour of its felt, a little darker."""
    seam_contrast: float
    """How different two pieces must be, in Oklab, for a visible seam between them."""
    backdrop: tuple[float, float, float]
    """The studio's colour, sRGB in 0..1."""
    calm: float
    """How far the surroundings of the subject fade into the backdrop's colour."""
    corner: float
    """Radius of the cushion's corners, as a fraction of its shorter side."""
    bulge: float
    """How much the middle is enlarged: big heads, small feet."""


CLASSIC = Recipe(
    pieces=130, parts=24, colours=16, roundness=0.0042, detail=0.45,
    lift=0.16, ceiling=0.95, chroma=0.95, tint=(0.004, 0.012),
    fibre=0.020, curl=1.3, nap=0.055, fluff=1.5, puff=1.5,
    stitch=0.0135, thread=0.0042, thread_colour=(0.98, 0.94, 0.85), seam_contrast=0.15,
    backdrop=(0.86, 0.80, 0.72), corner=0.09, calm=0.35, bulge=0.0,
)  # fmt: skip
RECIPES = {
    "classic": CLASSIC,
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
