"""Drawings of the styles."""

from xml.etree import ElementTree as ET

import pytest

from plushify_core import DEFAULT_CATALOG
from plushify_web.page.routes import STATIC

ART = STATIC / "art"


@pytest.mark.parametrize("style", [style.id for style in DEFAULT_CATALOG.styles])
def test_every_style_of_the_default_catalog_has_its_own_drawing(style: str) -> None:
    """Each default style has an SVG named after it, and no two styles share one drawing."""
    drawing = ART / "styles" / f"{style}.svg"
    assert drawing.is_file(), f"{drawing.name} is missing"
    assert ET.parse(drawing).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    others = {file.read_bytes() for file in ART.rglob("*.svg") if file != drawing}
    assert drawing.read_bytes() not in others


def test_every_drawing_belongs_to_a_style_of_the_default_catalog() -> None:
    """Every drawing is named after a style of the default catalog."""
    assert {file.stem for file in (ART / "styles").iterdir()} == {style.id for style in DEFAULT_CATALOG.styles}


def test_a_custom_style_has_a_neutral_drawing() -> None:
    """The page has a drawing for styles that are not in the default catalog."""
    assert (ART / "custom-style.svg").is_file()
