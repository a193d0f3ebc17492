"""Health endpoints."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.migrate import Migrations
from plushify_core import uuid7
from plushify_core.domain.generation import INSTALLATION_KEY
from plushify_web.api import health
from plushify_web.api.health import ReadinessChecks
from plushify_web.app import create_app
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.broken import ignore_cancellation
from tests.web.conftest import browser, make_container

pytestmark = pytest.mark.anyio


@pytest.fixture
def container(tmp_path: Path) -> Container:
    """Return a container with in-memory adapters, except for a database in SQLite."""
    container = make_container(Settings(data_dir=tmp_path))
    container.store.reset_override()
    container.migrations.reset_override()
    return container


async def test_ready_once_the_database_is_migrated(container: Container) -> None:
    """The process is ready once its database has the current schema. The response names the image model."""
    store: SqlStore = container.store()
    async with browser(create_app(container)) as client:
        before = await client.get("/health/ready")
        assert (before.status_code, before.json()["detail"]) == (503, "Not ready: the database.")
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        await Migrations(store.engine).upgrade()
        after = await client.get("/health/ready")
        assert (after.status_code, after.json()) == (200, {"status": "ok", "model": "plushify/negative"})
    await store.aclose()


async def test_not_ready_without_the_blob_store(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """The response names an unreachable blob store, but not the cause."""
    store: SqlStore = container.store()
    await Migrations(store.engine).upgrade()

    def unreachable(_: str) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(container.blobs(), "keys", unreachable)
    async with browser(create_app(container)) as client:
        response = await client.get("/health/ready")
    assert (response.status_code, response.json()["detail"]) == (503, "Not ready: the blob store.")
    assert "route" not in response.text
    await store.aclose()


async def test_not_ready_on_the_storage_of_another_installation(container: Container) -> None:
    """A process that started while the storage was down is not ready if the storage turns out to be another's."""
    store: SqlStore = container.store()
    await Migrations(store.engine).upgrade()
    await container.blobs().put(INSTALLATION_KEY, str(uuid7()).encode(), media_type="text/plain")
    async with browser(create_app(container)) as client:
        response = await client.get("/health/ready")
    assert (response.status_code, response.json()["detail"]) == (503, "Not ready: the blob store.")
    await store.aclose()


async def test_a_check_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds for a check that ignores its cancellation. Until it ends, no second one is started."""
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    answers, started = asyncio.Event(), 0

    async def check_blob_store() -> None:
        nonlocal started
        started += 1
        await ignore_cancellation(answers.wait())

    async def check_database() -> None:
        return None

    checks = ReadinessChecks(checks={"blob store": check_blob_store, "database": check_database})
    for _ in range(3):
        async with asyncio.timeout(1):
            assert await checks.unavailable() == ["blob store"]
    assert started == 1

    answers.set()
    await asyncio.sleep(0.01)
    assert await checks.unavailable() == []
    assert started == 2


async def test_answers_while_the_blob_store_hangs(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """The endpoint answers 503 at its limit while the blob store neither answers nor refuses."""
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 0.05)
    store: SqlStore = container.store()
    await Migrations(store.engine).upgrade()
    answers = asyncio.Event()

    async def silent(_: str) -> AsyncIterator[str]:
        await ignore_cancellation(answers.wait())
        yield "health/never"

    monkeypatch.setattr(container.blobs(), "keys", silent)
    async with browser(create_app(container)) as client, asyncio.timeout(5):
        response = await client.get("/health/ready")
    assert (response.status_code, response.json()["detail"]) == (503, "Not ready: the blob store.")
    answers.set()
    await store.aclose()
