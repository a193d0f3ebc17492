"""Catalog resource."""

from pathlib import Path

import pytest
from dependency_injector import providers

from plushify_adapters.memory import MemoryImageModel
from plushify_web.app import create_app
from plushify_web.settings import Settings
from tests.web.conftest import Client, browser, make_container

pytestmark = pytest.mark.anyio

CATALOG = """
standard_generation_credits = 3

[[styles]]
id = "knitted"
name = "Knitted"
description = "Loops of wool"
prompt = "Knit it."

[[qualities]]
id = "small"
name = "Small"
longest_side_px = 256
credit_multiplier = 2
"""


async def test_returns_the_catalog(visitor: Client) -> None:
    """The response has the styles, the qualities with sizes and prices, the limits, and the image model."""
    catalog = (await visitor.get("/api/catalog")).json()

    assert [style["id"] for style in catalog["styles"]] == ["classic", "kawaii", "realistic", "cartoon", "chibi"]
    assert "prompt" not in catalog["styles"][0]
    assert catalog["qualities"][1] == {
        "id": "high",
        "name": "High",
        "pixels": 1024,
        "creditMultiplier": 2,
        "price": 2,
        "available": True,
        "reason": None,
    }
    assert catalog["limits"] == {
        "maxUploadBytes": 10_485_760,
        "maxPixels": 50_000_000,
        "timeoutS": 60.0,
        "undoDeleteS": 30.0,
        "mediaTypes": ["image/jpeg", "image/png", "image/webp"],
    }
    assert catalog["model"] == {
        "name": "plushify/negative",
        "title": "Negative (in memory)",
        "preview": True,
        "largestSide": 2048,
    }
    assert (catalog["freeCredits"], catalog["buyCreditsUrl"]) == (3, None)


async def test_a_quality_beyond_the_model_is_unavailable() -> None:
    """A quality larger than the largest side of the model is unavailable, with a reason."""
    container = make_container(Settings())
    container.model.override(providers.Singleton(MemoryImageModel, largest_side_px=1024))
    async with browser(create_app(container)) as client:
        qualities = (await client.get("/api/catalog")).json()["qualities"]
    assert [quality["available"] for quality in qualities] == [True, True, False]
    assert qualities[2]["reason"] == "Negative (in memory) draws at most 1024 px on the longest side."


async def test_a_custom_catalog_replaces_the_default(tmp_path: Path) -> None:
    """`PLUSHIFY_CATALOG` replaces styles, sizes and prices."""
    file = tmp_path / "catalog.toml"
    file.write_text(CATALOG)
    async with browser(create_app(make_container(Settings(catalog=file)))) as client:
        catalog = (await client.get("/api/catalog")).json()
    assert [style["name"] for style in catalog["styles"]] == ["Knitted"]
    assert [(quality["id"], quality["price"]) for quality in catalog["qualities"]] == [("small", 6)]
