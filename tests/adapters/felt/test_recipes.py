"""Tests of the choice of a recipe for a style."""

import pytest

from plushify_adapters.felt._recipes import CUSTOM_STYLE_RECIPE, RECIPES, recipe_for
from plushify_core import DEFAULT_CATALOG

DEFAULT_STYLE_IDS = [style.id for style in DEFAULT_CATALOG.styles]


def test_recipes_are_those_of_the_default_catalog() -> None:
    """Every style of the default catalog has a recipe of its own, and no recipe belongs to another style."""
    assert sorted(RECIPES) == sorted(DEFAULT_STYLE_IDS)


@pytest.mark.parametrize("style_id", DEFAULT_STYLE_IDS)
def test_a_default_style_gets_its_own_recipe(style_id: str) -> None:
    """A style of the default catalog is never drawn with the recipe of another style."""
    others = [recipe for other, recipe in RECIPES.items() if other != style_id]

    assert recipe_for(style_id) is RECIPES[style_id]
    assert recipe_for(style_id) not in others


def test_a_custom_style_gets_the_recipe_for_custom_styles() -> None:
    """A style that only an operator's catalog has is drawn with the recipe named for that case."""
    assert recipe_for("steampunk") is CUSTOM_STYLE_RECIPE
