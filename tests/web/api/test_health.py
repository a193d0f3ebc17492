"""Health endpoints."""

from pathlib import Path

import pytest

from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.migrate import Migrations
from plushify_core import uuid7
from plushify_core.domain.generation import INSTALLATION_KEY
from plushify_web.app import create_app
from plushify_web.container import Container
from plushify_web.settings import Settings
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
