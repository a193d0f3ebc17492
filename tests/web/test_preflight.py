"""Preflight checks of the image model and the storage."""

import asyncio
import json

import msgspec
import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel, MemoryStore
from plushify_core import InstallationUseCase, WrongStorage
from plushify_core.ports import Level, Notice
from plushify_web import preflight as preflight_module
from plushify_web.app import create_app
from plushify_web.preflight import (
    CANCELLATION_TIMEOUT_S,
    PROBE,
    Preflight,
    check_installation,
    wrong_storage_message,
)
from plushify_web.settings import Settings
from tests.broken import BrokenBlobs, StubbornBlobs, ignore_cancellation
from tests.in_memory import Ids
from tests.virtual_time import EPOCH
from tests.web.conftest import browser, make_container

pytestmark = pytest.mark.anyio


class CheckedModel(MemoryImageModel):
    """Model with a self-check."""

    def __init__(self, *notices: Notice) -> None:
        super().__init__()
        self._notices = notices

    async def self_check(self) -> tuple[Notice, ...]:
        """Return the given notices."""
        return self._notices


class HangingModel(MemoryImageModel):
    """Model whose self-check never ends."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled = False

    async def self_check(self) -> tuple[Notice, ...]:
        """Wait until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled = True
        raise AssertionError("the event is never set")


class BrokenModel(MemoryImageModel):
    """Model whose self-check raises an exception."""

    async def self_check(self) -> tuple[Notice, ...]:
        """Raise an exception."""
        raise RuntimeError("a bug")


def preflight(model: MemoryImageModel, blobs: MemoryBlobStore | None = None) -> Preflight:
    """Return the checks on in-memory adapters."""
    return Preflight(model=model, blobs=blobs or MemoryBlobStore(), new_id=Ids(lambda: EPOCH))


def installation_on(blobs: MemoryBlobStore) -> InstallationUseCase:
    """Return the check of a new database and these blobs."""
    return InstallationUseCase(store=MemoryStore(), blobs=blobs, new_id=Ids(lambda: EPOCH))


async def logged_by(model: MemoryImageModel, settings: Settings, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Start a server with this model, send it a request, stop it, and return the preflight messages that it logged."""
    container = make_container(msgspec.structs.replace(settings, log="json"))
    container.model.override(model)
    app = create_app(container)
    async with app.lifespan(), browser(app) as client:
        assert (await client.get("/api/catalog")).status_code == 200
    lines = map(json.loads, capsys.readouterr().err.splitlines())
    return [f"{line['level']}: {line['event']}" for line in lines if line["logger"] == "plushify_web.preflight"]


async def test_startup_logs_every_problem(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """The server logs each warning and error of the self-check when it starts, but no OK notices."""
    model = CheckedModel(
        Notice(level=Level.OK, subject="model", detail="It exists."),
        Notice(level=Level.ERROR, subject="key", detail="It is not accepted."),
        Notice(level=Level.WARNING, subject="expiration", detail="It ends tomorrow."),
    )
    assert await logged_by(model, settings, capsys) == [
        "warning: key: It is not accepted.",
        "warning: expiration: It ends tomorrow.",
    ]


async def test_a_hanging_self_check_delays_nothing(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """The server responds while the self-check runs, and cancels it at shutdown."""
    model = HangingModel()
    assert await logged_by(model, settings, capsys) == []
    assert model.cancelled


async def test_a_failing_self_check_is_only_logged(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception in the self-check is logged, and the server keeps running."""
    assert await logged_by(BrokenModel(), settings, capsys) == ["error: the model could not be checked"]


async def test_a_preview_model_without_self_check_gives_an_ok_notice() -> None:
    """A preview model that has no self-check gives one OK notice, which says that it is a preview."""
    (notice,) = await preflight(MemoryImageModel()).check_model()
    detail = "Negative (in memory) draws: a preview, which needs no key and no network."
    assert notice == Notice(level=Level.OK, subject="model", detail=detail)


async def test_reports_storage_that_returns_other_bytes() -> None:
    """The storage check fails if the bytes read differ from those written, and still removes its blob."""

    class TruncatingBlobStore(MemoryBlobStore):
        async def put(self, key: str, data: bytes, *, media_type: str) -> None:
            await super().put(key, PROBE[:3], media_type=media_type)

    blobs = TruncatingBlobStore()
    notice = await preflight(MemoryImageModel(), blobs).check_storage()
    assert (notice.level, notice.detail) == (Level.ERROR, "A blob was read that is not what was written.")
    assert [key async for key in blobs.keys("")] == []


async def test_storage_that_cannot_tell_its_installation_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """A start does not fail because the storage is down. It logs that the storage could not be checked."""
    blobs = BrokenBlobs()
    blobs.refused.add("read installation")
    await check_installation(installation_on(blobs))
    assert "cannot check that database and storage belong together: OSError" in caplog.text


async def test_storage_that_hangs_is_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start waits a limited time for the storage."""
    monkeypatch.setattr("plushify_web.preflight.INSTALLATION_TIMEOUT_S", 0.01)
    blobs = BrokenBlobs()
    blobs.delays_s["read installation"] = 3600
    await check_installation(installation_on(blobs))
    assert "TimeoutError" in caplog.text


@pytest.mark.parametrize(
    ("database", "storage", "says"),
    [
        (True, True, "belongs to another installation"),
        (False, True, "that this database does not know"),
        (True, False, "does not have the mark of this installation"),
        (False, False, "does not contain the id of an installation"),
    ],
)
def test_every_wrong_storage_has_its_sentence(database: bool, storage: bool, says: str) -> None:
    """The sentence says what does not belong together, and which setting to correct."""
    ids = Ids(lambda: EPOCH)
    message = wrong_storage_message(WrongStorage(ids() if database else None, ids() if storage else None))
    assert says in message
    assert "Point PLUSHIFY_" in message
    assert ("plushify doctor --adopt-storage" in message) is (database or storage)


async def test_reports_storage_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The storage check ends at its limit if the storage neither answers nor refuses."""
    monkeypatch.setattr(preflight_module, "STORAGE_TIMEOUT_S", 0.05)
    blobs = StubbornBlobs()
    blobs.delays_s = {"put probe": 0.5}
    async with asyncio.timeout(0.4):
        notice = await preflight(MemoryImageModel(), blobs).check_storage()
    assert (notice.level, notice.subject) == (Level.ERROR, "storage")
    assert "TimeoutError" in notice.detail


async def test_a_self_check_that_ignores_its_cancellation_delays_no_shutdown() -> None:
    """A self-check that hangs for ever delays the end of the block no longer than the limit."""
    over = asyncio.Event()

    class StubbornModel(MemoryImageModel):
        async def self_check(self) -> tuple[Notice, ...]:
            await ignore_cancellation(over.wait())
            return ()

    async with asyncio.timeout(CANCELLATION_TIMEOUT_S + 1):
        async with preflight(StubbornModel()).logged():
            await asyncio.sleep(0)
    over.set()
