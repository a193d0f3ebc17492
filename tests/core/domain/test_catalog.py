"""Catalog: prices, sizes, prompts, and the rules of a valid catalog."""

import msgspec
import pytest

from plushify_core import DEFAULT_CATALOG, Catalog, InvalidInput, Quality, Reason


def test_prices() -> None:
    """The price of a quality is the price of a standard generation times its multiplier."""
    prices = {quality.id: DEFAULT_CATALOG.price(quality) for quality in DEFAULT_CATALOG.qualities}

    assert prices == {"standard": 1, "high": 2, "ultra": 4}


def test_price_of_a_standard_generation() -> None:
    """The price of a standard generation scales every price."""
    catalog = msgspec.structs.replace(DEFAULT_CATALOG, standard_generation_credits=5)

    assert [catalog.price(quality) for quality in catalog.qualities] == [5, 10, 20]


def test_sizes() -> None:
    """Each quality has the longest side of its pictures, in px."""
    sizes = {quality.id: quality.longest_side_px for quality in DEFAULT_CATALOG.qualities}

    assert sizes == {"standard": 512, "high": 1024, "ultra": 2048}


def test_prompts() -> None:
    """Each style has its own prompt."""
    ids = [style.id for style in DEFAULT_CATALOG.styles]

    assert ids == ["classic", "kawaii", "realistic", "cartoon", "chibi"]
    assert len({style.prompt for style in DEFAULT_CATALOG.styles}) == len(ids)


def test_lookup() -> None:
    """Styles and qualities are found by their ids."""
    assert DEFAULT_CATALOG.style("chibi").name == "Chibi"
    assert DEFAULT_CATALOG.quality("ultra").credit_multiplier == 4


def test_unknown_style() -> None:
    """A style that is not in the catalog is invalid input."""
    with pytest.raises(InvalidInput) as caught:
        DEFAULT_CATALOG.style("marble")

    assert caught.value.reason is Reason.UNKNOWN_STYLE


def test_unknown_quality() -> None:
    """A quality that is not in the catalog is invalid input."""
    with pytest.raises(InvalidInput) as caught:
        DEFAULT_CATALOG.quality("8k")

    assert caught.value.reason is Reason.UNKNOWN_QUALITY


@pytest.mark.parametrize(("side", "multiplier"), [(0, 1), (512, 0), (-1, 1)])
def test_invalid_quality(side: int, multiplier: int) -> None:
    """The size and the multiplier of a quality are at least 1."""
    with pytest.raises(ValueError, match="at least 1"):
        Quality(id="none", name="None", longest_side_px=side, credit_multiplier=multiplier)


def test_invalid_catalogs() -> None:
    """A catalog has at least one style and one quality, unique ids, and a price of at least 1 credit."""
    styles, qualities = DEFAULT_CATALOG.styles, DEFAULT_CATALOG.qualities

    with pytest.raises(ValueError, match="at least one style"):
        Catalog(styles=(), qualities=qualities)
    with pytest.raises(ValueError, match="at least one quality"):
        Catalog(styles=styles, qualities=())
    with pytest.raises(ValueError, match="same id"):
        Catalog(styles=styles + styles[:1], qualities=qualities)
    with pytest.raises(ValueError, match="at least 1 credit"):
        Catalog(styles=styles, qualities=qualities, standard_generation_credits=0)


def test_unknown_field() -> None:
    """A catalog with an unknown field is refused, so a misspelt price is not replaced by the default one."""
    catalog = msgspec.to_builtins(DEFAULT_CATALOG)

    assert msgspec.convert(catalog, Catalog) == DEFAULT_CATALOG
    with pytest.raises(msgspec.ValidationError, match="standard_generation_credit`"):
        msgspec.convert(catalog | {"standard_generation_credit": 5}, Catalog)
