"""What would stand in the way of pictures, told by a server when it starts."""

import asyncio
import json

import msgspec
import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel
from plushify_core.ports import Level, Notice
from plushify_web.app import create_app
from plushify_web.preflight import PROBE, Preflight
from plushify_web.settings import Settings
from tests.in_memory import Ids
from tests.virtual_time import EPOCH
from tests.web.conftest import browser, make_container

pytestmark = pytest.mark.anyio


class CheckedModel(MemoryImageModel):
    """A model with a check of its own."""

    def __init__(self, *said: Notice) -> None:
        super().__init__()
        self._said = said

    async def self_check(self) -> tuple[Notice, ...]:
        """What it was told to say."""
        return self._said


class SilentModel(MemoryImageModel):
    """A model whose check never ends."""

    def __init__(self) -> None:
        super().__init__()
        self.given_up = False

    async def self_check(self) -> tuple[Notice, ...]:
        """Wait, until it is given up."""
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up = True
        raise AssertionError("the event is never set")


class BrokenModel(MemoryImageModel):
    """A model whose check fails."""

    async def self_check(self) -> tuple[Notice, ...]:
        """Fail."""
        raise RuntimeError("a bug")


def preflight(model: MemoryImageModel, blobs: MemoryBlobStore | None = None) -> Preflight:
    """On adapters in memory."""
    return Preflight(model=model, blobs=blobs or MemoryBlobStore(), new_id=Ids(lambda: EPOCH))


async def logged_by(model: MemoryImageModel, settings: Settings, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a server with this model logs of it, from its start to its end. It serves meanwhile."""
    container = make_container(msgspec.structs.replace(settings, log="json"))
    container.model.override(model)
    app = create_app(container)
    async with app.lifespan(), browser(app) as client:
        assert (await client.get("/api/catalog")).status_code == 200
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    return [f"{line['level']}: {line['event']}" for line in lines if line["logger"] == "plushify_web.preflight"]


async def test_a_server_warns_of_each_finding(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is not well is logged when the server starts; what is well is not."""
    model = CheckedModel(
        Notice(level=Level.OK, subject="model", detail="It exists."),
        Notice(level=Level.ERROR, subject="key", detail="It is not accepted."),
        Notice(level=Level.WARNING, subject="expiration", detail="It ends tomorrow."),
    )
    assert await logged_by(model, settings, capsys) == [
        "warning: key: It is not accepted.",
        "warning: expiration: It ends tomorrow.",
    ]


async def test_a_check_that_never_ends_delays_nothing(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """The server serves before the check has ended, and stops without waiting for it."""
    model = SilentModel()
    assert await logged_by(model, settings, capsys) == []
    assert model.given_up


async def test_a_check_that_fails_stops_nothing(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the check is logged, and the server goes on."""
    assert await logged_by(BrokenModel(), settings, capsys) == ["error: the model could not be checked"]


async def test_a_preview_says_that_it_is_one() -> None:
    """A model without a check of its own is no trouble; that it is a preview is told."""
    (notice,) = await preflight(MemoryImageModel()).check_model()
    detail = "Negative (in memory) draws: a preview, which needs no key and no network."
    assert notice == Notice(level=Level.OK, subject="model", detail=detail)


async def test_a_storage_that_returns_something_else() -> None:
    """What is read has to be what was written; and nothing stays behind, however the trial ends."""

    class Forgetful(MemoryBlobStore):
        async def put(self, key: str, data: bytes, *, media_type: str) -> None:
            await super().put(key, PROBE[:3], media_type=media_type)

    blobs = Forgetful()
    notice = await preflight(MemoryImageModel(), blobs).check_storage()
    assert (notice.level, notice.detail) == (Level.ERROR, "A blob was read that is not what was written.")
    assert [key async for key in blobs.keys("")] == []
