"""What the adapter asks OpenRouter about: the model's capabilities, and whether all is well with the account."""

import httpx
import pytest

from plushify_adapters.openrouter import Finding, Level, OpenRouterModel, OpenRouterOptions
from tests.adapters.openrouter.support import KEY, ModelOnEmulator
from tests.emulators.process import OpenRouterEmulator

pytestmark = pytest.mark.anyio

PRO = "google/gemini-3-pro-image"
FLASH = "google/gemini-2.5-flash-image"
NOT_UNDERSTOOD = [
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
async def test_capabilities_come_from_the_catalogue(
    name: str, title: str, largest_side_px: int, model_on: ModelOnEmulator
) -> None:
    """The model's title and largest side are what OpenRouter says."""
    async with model_on(model=name) as model:
        can = await model.capabilities()

    assert (can.name, can.title, can.largest_side_px, can.preview) == (name, title, largest_side_px, False)


@pytest.mark.parametrize("answer", NOT_UNDERSTOOD)
@pytest.mark.parametrize("path", ["/models", "/endpoints"])
async def test_what_is_known_answers_for_a_catalogue_that_does_not(
    path: str, answer: str, emulator: OpenRouterEmulator, model_on: ModelOnEmulator
) -> None:
    """Whatever is wrong with the catalogue, the capabilities are those that are known of the model."""
    emulator.script([answer], path=path)

    async with model_on(model=PRO) as model:
        assert (await model.capabilities()).largest_side_px == 4096


async def test_a_model_nobody_knows() -> None:
    """Of a model that is known nowhere, the least is expected."""
    options = OpenRouterOptions(base_url="http://127.0.0.1:9/api/v1", model="someone/something")
    model = OpenRouterModel(KEY, options)

    can = await model.capabilities()

    await model.aclose()
    assert (can.name, can.title, can.largest_side_px) == ("someone/something", "someone/something", 1024)


async def test_the_operator_knows_better(model_on: ModelOnEmulator) -> None:
    """The largest side can be set, whatever the catalogue says."""
    async with model_on(largest_side_px=1536) as model:
        assert (await model.capabilities()).largest_side_px == 1536


async def test_the_catalogue_is_asked_once_in_a_while(emulator: OpenRouterEmulator, model_on: ModelOnEmulator) -> None:
    """What the catalogue said is believed for the time that was set, and asked anew after it."""
    async with model_on(catalogue_ttl_s=1000) as model:
        for _ in range(3):
            await model.capabilities()
    assert len(emulator.requests()) == 2

    async with model_on(catalogue_ttl_s=0) as model:
        for _ in range(3):
            await model.capabilities()
    assert len(emulator.requests()) == 2 + 3 * 2


async def test_resolutions_are_those_of_every_provider() -> None:
    """A resolution that only some providers of a model have is not promised."""
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


async def findings(model_on: ModelOnEmulator, name: str = PRO, key: str = KEY) -> list[tuple[str, Level]]:
    """The subjects that were checked, and how they are."""
    async with model_on(model=name, key=key) as model:
        found: list[Finding] = await model.check()
        assert all(finding.detail.endswith(".") and key not in finding.detail for finding in found)
    return [(finding.subject, finding.level) for finding in found]


async def test_all_is_well(model_on: ModelOnEmulator) -> None:
    """A good key with credit and a model that stays are told as such."""
    assert await findings(model_on) == [("key", Level.OK), ("credit", Level.OK), ("model", Level.OK)]


@pytest.mark.parametrize(
    ("limit", "usage", "level"),
    [(None, 5.0, Level.OK), (10.0, 9.5, Level.WARNING), (10.0, 10.0, Level.ERROR), (10.0, 11.0, Level.ERROR)],
)
async def test_the_credit_on_the_key(
    limit: float | None, usage: float, level: Level, emulator: OpenRouterEmulator, model_on: ModelOnEmulator
) -> None:
    """Little credit is a warning, none an error; a key without a limit has no credit to run out of."""
    emulator.account(limit=limit, usage=usage)

    assert ("credit", level) in await findings(model_on)


async def test_a_key_that_is_not_accepted(model_on: ModelOnEmulator) -> None:
    """A wrong key is an error, and nothing can be said of the model."""
    assert await findings(model_on, key="wrong") == [("key", Level.ERROR), ("model", Level.WARNING)]


async def test_a_model_that_does_not_exist(model_on: ModelOnEmulator) -> None:
    """A model that OpenRouter does not have is an error."""
    assert ("model", Level.ERROR) in await findings(model_on, "google/no-such-image")


async def test_a_model_whose_last_day_is_over(model_on: ModelOnEmulator) -> None:
    """A model past its last day is an error."""
    assert ("expiration", Level.ERROR) in await findings(model_on, "emulator/retired-image")


async def test_a_model_whose_last_day_is_near(model_on: ModelOnEmulator) -> None:
    """A model whose last day is within two months is a warning."""
    assert ("expiration", Level.WARNING) in await findings(model_on, "emulator/retiring-image")


async def test_a_model_whose_last_day_is_far(model_on: ModelOnEmulator) -> None:
    """A last day that is farther away is told, and no warning."""
    assert ("expiration", Level.OK) in await findings(model_on, "emulator/lasting-image")


@pytest.mark.parametrize("answer", [step for step in NOT_UNDERSTOOD if step != "bad_key"])
async def test_what_cannot_be_checked_is_a_warning(
    answer: str, emulator: OpenRouterEmulator, model_on: ModelOnEmulator
) -> None:
    """When OpenRouter cannot be asked, that is told, and is no reason not to start."""
    emulator.script([answer], path="/key")
    emulator.script([answer], path="/models")

    assert await findings(model_on) == [("key", Level.WARNING), ("model", Level.WARNING)]
