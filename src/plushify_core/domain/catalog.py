"""Catalog of styles with their prompts, and of qualities with their sizes and prices."""

import msgspec

from plushify_core.domain.errors import InvalidInput, Reason

STANDARD_GENERATION_CREDITS = 1
"""Price of a generation whose quality has the multiplier 1, in credits."""

FREE_CREDITS = 3
"""Credits of a new user."""


class Style(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Style of a plushie. `prompt` is the instruction for the image model."""

    id: str
    name: str
    description: str
    prompt: str


class Quality(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Size and price of a picture.

    `longest_side_px` is the longest side of the delivered picture, in px. The price is `credit_multiplier` times the
    price of a standard generation.
    """

    id: str
    name: str
    longest_side_px: int
    credit_multiplier: int

    def __post_init__(self) -> None:
        if self.longest_side_px < 1 or self.credit_multiplier < 1:
            raise ValueError(f"quality {self.id!r}: size and multiplier are at least 1")


class Catalog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Styles and qualities to choose from, and their prices in credits."""

    styles: tuple[Style, ...]
    qualities: tuple[Quality, ...]
    standard_generation_credits: int = STANDARD_GENERATION_CREDITS

    def __post_init__(self) -> None:
        for kind, items in (("style", self.styles), ("quality", self.qualities)):
            ids = [item.id for item in items]
            if not ids or len(set(ids)) != len(ids):
                raise ValueError(f"a catalog has at least one {kind}, and no two with the same id")
        if self.standard_generation_credits < 1:
            raise ValueError("a generation costs at least 1 credit")

    def style(self, style_id: str) -> Style:
        """Return the style with this id.

        Raises:
            InvalidInput: `unknown_style`.
        """
        for style in self.styles:
            if style.id == style_id:
                return style
        raise InvalidInput(Reason.UNKNOWN_STYLE)

    def quality(self, quality_id: str) -> Quality:
        """Return the quality with this id.

        Raises:
            InvalidInput: `unknown_quality`.
        """
        for quality in self.qualities:
            if quality.id == quality_id:
                return quality
        raise InvalidInput(Reason.UNKNOWN_QUALITY)

    def price(self, quality: Quality) -> int:
        """Return the price of one generation in this quality, in credits."""
        return self.standard_generation_credits * quality.credit_multiplier


_SUBJECT = (
    "Turn the main subject of this photo into a handmade plush toy. Keep its pose, its colours, and everything "
    "that makes it recognisable. Show the whole toy, centred, on a calm studio background with soft light. "
)
_ANSWER = " Return exactly one image, without any text, frame or watermark."


def _style(style_id: str, name: str, description: str, look: str) -> Style:
    return Style(id=style_id, name=name, description=description, prompt=_SUBJECT + look + _ANSWER)


DEFAULT_CATALOG = Catalog(
    styles=(
        _style(
            "classic",
            "Classic",
            "A cuddly toy as from grandmother's shelf",
            "Classic teddy-bear style: short warm plush fur, visible stitched seams, button eyes, an embroidered "
            "nose, softly stuffed round limbs, muted natural colours.",
        ),
        _style(
            "kawaii",
            "Kawaii",
            "Pastel, round and very sweet",
            "Japanese kawaii style: smooth minky fabric in pastel colours, an oversized round head, tiny limbs, "
            "small shiny eyes set wide apart, pink cheeks, a minimal happy mouth.",
        ),
        _style(
            "realistic",
            "Realistic",
            "True to the photo, in soft fabric",
            "Lifelike plush style: natural proportions, long fine pile that follows the real markings and colours, "
            "glass eyes, fine hand stitching, true to the photo in every detail.",
        ),
        _style(
            "cartoon",
            "Cartoon",
            "Bold colours and a big smile",
            "Cartoon plush style: bold saturated felt colours in large clear shapes, thick contrasting seams, big "
            "expressive eyes, a wide friendly smile, exaggerated playful features.",
        ),
        _style(
            "chibi",
            "Chibi",
            "A big head on a tiny body",
            "Chibi plush style: a head as large as the whole body, huge sparkling embroidered eyes, stubby arms "
            "and legs, soft fleece, simplified clothing and hair in felt pieces.",
        ),
    ),
    qualities=(
        Quality(id="standard", name="Standard", longest_side_px=512, credit_multiplier=1),
        Quality(id="high", name="High", longest_side_px=1024, credit_multiplier=2),
        Quality(id="ultra", name="Ultra", longest_side_px=2048, credit_multiplier=4),
    ),
)
