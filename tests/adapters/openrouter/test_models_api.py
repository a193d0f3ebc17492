"""Capabilities of the model from the models API, and the self-check."""

import httpx
import pytest

from plushify_adapters.openrouter import OpenRouterModel, OpenRouterOptions
from plushify_core.ports import Level, Notice
from tests.adapters.openrouter.support import KEY, ModelOnEmulator
from tests.emulators.process import OpenRouterEmulator

pytestmark = pytest.mark.anyio

PRO = "google/gemini-3-pro-image"
FLASH = "google/gemini-2.5-flash-image"
UNUSABLE_ANSWERS = [
    "html",
    "blank",
    {"scenario": "raw", "body_base64": "W10="},
    {"scenario": "raw", "body_base64": "e30="},
    "server_error",
    "drop",
    "bad_key",
]


@pytest.mark.parametrize(
    ("name", "title", "largest_side_px"),
    [
        (FLASH, "Google: Gemini 2.5 Flash Image", 1024),
        (PRO, "Google: Gemini 3 Pro Image", 4096),
        ("black-forest-labs/flux.2-pro", "Black Forest Labs: FLUX.2 Pro", 2048),
    ],
)
async def test_capabilities_come_from_the_models_api(
    name: str, title: str, largest_side_px: int, model_on: ModelOnEmulator
) -> None:
    """The title and the largest side of the model are those that OpenRouter reports."""
    async with model_on(model=name) as model:
        found = await model.capabilities()

    assert (found.name, found.title, found.largest_side_px, found.preview) == (
        name,
        title,
        largest_side_px,
        False,
    )


@pytest.mark.parametrize("answer", UNUSABLE_ANSWERS)
@pytest.mark.parametrize("path", ["/models", "/endpoints"])
async def test_falls_back_to_the_built_in_profile(
    path: str, answer: str, emulator: OpenRouterEmulator, model_on: ModelOnEmulator
) -> None:
    """If the models API gives no usable answer, the capabilities come from the built-in profile."""
    emulator.script([answer], path=path)

    async with model_on(model=PRO) as model:
        assert (await model.capabilities()).largest_side_px == 4096


async def test_assumes_the_default_profile_for_an_unknown_model() -> None:
    """A model without a profile is assumed to draw 1024 px, and its id is its title."""
    options = OpenRouterOptions(base_url="http://127.0.0.1:9/api/v1", model="someone/something")
    model = OpenRouterModel(KEY, options)

    found = await model.capabilities()

    await model.aclose()
    assert (found.name, found.title, found.largest_side_px) == ("someone/something", "someone/something", 1024)


async def test_an_option_overrides_the_largest_side(model_on: ModelOnEmulator) -> None:
    """The option `largest_side_px` has precedence over the models API."""
    async with model_on(largest_side_px=1536) as model:
        assert (await model.capabilities()).largest_side_px == 1536


async def test_caches_the_profile_for_the_ttl(emulator: OpenRouterEmulator, model_on: ModelOnEmulator) -> None:
    """The models API is called again only after `models_api_ttl_s`."""
    async with model_on(models_api_ttl_s=1000) as model:
        for _ in range(3):
            await model.capabilities()
    assert len(emulator.requests()) == 2

    async with model_on(models_api_ttl_s=0) as model:
        for _ in range(3):
            await model.capabilities()
    assert len(emulator.requests()) == 2 + 3 * 2


async def test_offers_only_resolutions_of_every_provider() -> None:
    """A resolution that only some providers of a model support is not offered."""
    pages = {
        "/models": {"data": [{"id": FLASH, "name": "Flash"}]},
        f"/images/models/{FLASH}/endpoints": {
            "endpoints": [
                {"supported_parameters": {"resolution": {"type": "enum", "values": ["1K", "2K", "4K", "8K", 7]}}},
                {"supported_parameters": {"resolution": {"type": "enum", "values": ["2K", "1K"]}, "n": {"min": 1}}},
            ]
        },
    }
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=pages[request.url.path]))
    async with httpx.AsyncClient(transport=transport) as client:
        model = OpenRouterModel(KEY, OpenRouterOptions(base_url="https://openrouter.test"), client=client)
        assert (await model.capabilities()).largest_side_px == 2048


PICTURE = {"billable": "output_image", "unit": "image", "cost_usd": 0.05}
LARGE_PICTURE = {"billable": "output_image", "unit": "image", "cost_usd": 0.12, "variant": "4K"}
PHOTO = {"billable": "input_image", "unit": "image", "cost_usd": 0.003}
TEXT = {"billable": "input_text", "unit": "token", "cost_usd": 0.000001}
TOKENS = {"billable": "output_image", "unit": "token", "cost_usd": 0.00003}


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ([[PICTURE]], 50_000_000),
        ([[PICTURE, LARGE_PICTURE]], 120_000_000),
        ([[PICTURE, PHOTO, TEXT]], 53_000_000),
        ([[PICTURE], [LARGE_PICTURE]], 120_000_000),
        ([[PICTURE | {"cost_usd": 0}]], 0),
        ([[TOKENS, TEXT]], None),
        ([[PICTURE], [TOKENS]], None),
        ([[PICTURE, PHOTO | {"unit": "megapixel"}]], None),
        ([[PICTURE], []], None),
        ([], None),
        ([None], None),
        (["0.05"], None),
        ([[PICTURE | {"cost_usd": "0.05"}]], None),
        ([[PICTURE | {"cost_usd": -1}]], None),
        ([[PICTURE | {"cost_usd": 1e300}]], None),
        ([[None]], None),
    ],
)
async def test_expects_the_highest_price_per_picture(prices: list[object], expected: int | None) -> None:
    """The expected cost is the highest price of a photo and a picture, if every provider charges per picture.

    Prices in another form leave it open, and the other capabilities do not depend on them.
    """
    resolution = {"resolution": {"type": "enum", "values": ["1K", "2K"]}}
    pages = {
        "/models": {"data": [{"id": FLASH, "name": "Flash"}]},
        f"/images/models/{FLASH}/endpoints": {
            "endpoints": [{"supported_parameters": resolution, "pricing": pricing} for pricing in prices]
        },
    }
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=pages[request.url.path]))
    async with httpx.AsyncClient(transport=transport) as client:
        model = OpenRouterModel(KEY, OpenRouterOptions(base_url="https://openrouter.test"), client=client)
        found = await model.capabilities()
        assert (found.expected_cost_nano_usd, found.largest_side_px) == (expected, 2048 if prices else 1024)


async def test_expects_no_price_with_fallback_models(model_on: ModelOnEmulator) -> None:
    """With fallback models the expected cost is left open, because another model may serve the call."""
    async with model_on() as model:
        assert (await model.capabilities()).expected_cost_nano_usd == 39_000_000
    async with model_on(fallback_models=(PRO,)) as model:
        assert (await model.capabilities()).expected_cost_nano_usd is None


async def self_check(model_on: ModelOnEmulator, name: str = PRO, key: str = KEY) -> list[tuple[str, Level]]:
    """Return the subject and level of each notice, and assert that no detail contains the key."""
    async with model_on(model=name, key=key) as model:
        notices: list[Notice] = await model.self_check()
        assert all(notice.detail.endswith(".") and key not in notice.detail for notice in notices)
    return [(notice.subject, notice.level) for notice in notices]


async def test_reports_a_good_key_and_model_as_ok(model_on: ModelOnEmulator) -> None:
    """A valid key with credit and an existing model give only OK notices."""
    assert await self_check(model_on) == [("key", Level.OK), ("credit", Level.OK), ("model", Level.OK)]


@pytest.mark.parametrize(
    ("limit", "usage", "level"),
    [(None, 5.0, Level.OK), (10.0, 9.5, Level.WARNING), (10.0, 10.0, Level.ERROR), (10.0, 11.0, Level.ERROR)],
)
async def test_reports_the_remaining_credit(
    limit: float | None, usage: float, level: Level, emulator: OpenRouterEmulator, model_on: ModelOnEmulator
) -> None:
    """Little remaining credit is a warning and none is an error; a key without a spending limit is OK."""
    emulator.account(limit=limit, usage=usage)

    assert ("credit", level) in await self_check(model_on)


async def test_reports_a_rejected_key_as_an_error(model_on: ModelOnEmulator) -> None:
    """A wrong key is an error, and the model cannot be checked with it."""
    assert await self_check(model_on, key="wrong") == [("key", Level.ERROR), ("model", Level.WARNING)]


async def test_reports_a_missing_model_as_an_error(model_on: ModelOnEmulator) -> None:
    """A model that is not in the model list is an error."""
    assert ("model", Level.ERROR) in await self_check(model_on, "google/no-such-image")


async def test_reports_an_expired_model_as_an_error(model_on: ModelOnEmulator) -> None:
    """A model past its expiration date is an error."""
    assert ("expiration", Level.ERROR) in await self_check(model_on, "emulator/retired-image")


async def test_warns_of_a_model_that_expires_soon(model_on: ModelOnEmulator) -> None:
    """An expiration date within two months is a warning."""
    assert ("expiration", Level.WARNING) in await self_check(model_on, "emulator/retiring-image")


async def test_reports_a_distant_expiration_date_as_ok(model_on: ModelOnEmulator) -> None:
    """An expiration date more than two months away is reported, but is not a warning."""
    assert ("expiration", Level.OK) in await self_check(model_on, "emulator/lasting-image")


@pytest.mark.parametrize("answer", [step for step in UNUSABLE_ANSWERS if step != "bad_key"])
async def test_warns_if_openrouter_cannot_be_reached(
    answer: str, emulator: OpenRouterEmulator, model_on: ModelOnEmulator
) -> None:
    """A check without a usable answer is a warning, not an error, so that the server still starts."""
    emulator.script([answer], path="/key")
    emulator.script([answer], path="/models")

    assert await self_check(model_on) == [("key", Level.WARNING), ("model", Level.WARNING)]
