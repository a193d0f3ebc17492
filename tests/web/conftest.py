"""The application on the in-memory adapters, and clients of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pyvips
from argon2 import PasswordHasher
from dependency_injector import providers
from httpx import Response
from litestar import Litestar

from plushify_adapters.memory import (
    MemoryAccountStore,
    MemoryBlobStore,
    MemoryImageCodec,
    MemoryImageModel,
    MemoryStore,
)
from plushify_web.app import create_app
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.web.cli.shell import Shell

PHOTO = b"P6\n4 3\n255\n" + bytes(range(36))
PASSWORD = "correct horse battery"

Client = httpx.AsyncClient
Connect = Callable[..., AbstractAsyncContextManager[Client]]


class NothingToMigrate:
    """Migrations of a store that has no schema."""

    async def is_current(self) -> bool:
        """Return True."""
        return True


def make_container(settings: Settings) -> Container:
    """A container whose adapters are in memory, and whose password hashes cost nothing."""
    container = Container()
    container.settings.override(providers.Object(settings))
    container.store.override(providers.Singleton(MemoryStore))
    container.account_store.override(providers.Singleton(MemoryAccountStore))
    container.migrations.override(providers.Singleton(NothingToMigrate))
    container.blobs.override(providers.Singleton(MemoryBlobStore))
    container.codec.override(providers.Singleton(MemoryImageCodec))
    container.model.override(providers.Singleton(MemoryImageModel))
    container.hasher.override(providers.Singleton(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1))
    return container


def browser(app: Litestar, base_url: str = "http://plushify.test") -> Client:
    """A client that sends what a browser does for our own page."""
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url=base_url, headers={"Sec-Fetch-Site": "same-origin"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder of this test's own; a shutdown that waits for nothing."""
    return Settings(data_dir=tmp_path / "data", drain_s=0)


@pytest.fixture
def container(settings: Settings) -> Container:
    """What the application is wired by."""
    return make_container(settings)


@pytest.fixture
def model(container: Container) -> MemoryImageModel:
    """The model that draws."""
    model: MemoryImageModel = container.model()
    return model


@pytest.fixture
async def connect(container: Container) -> AsyncIterator[Connect]:
    """Connects browsers to the one running application."""
    app = create_app(container)
    async with app.lifespan():

        @asynccontextmanager
        async def connected(email: str | None = None) -> AsyncIterator[Client]:
            async with browser(app) as client:
                if email is not None:
                    await sign_up(client, email)
                yield client

        yield connected


@pytest.fixture
async def visitor(connect: Connect) -> AsyncIterator[Client]:
    """A browser in which nobody is signed in."""
    async with connect() as client:
        yield client


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[Client]:
    """A browser in which somebody is signed in."""
    async with connect("ada@plushify.test") as client:
        yield client


@pytest.fixture
async def stranger(connect: Connect) -> AsyncIterator[Client]:
    """Somebody else's browser."""
    async with connect("eve@plushify.test") as client:
        yield client


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo of 96 × 64 px."""
    file = tmp_path / "photo.jpg"
    pyvips.Image.gaussnoise(96, 64, mean=128, sigma=30).cast("uchar").jpegsave(str(file))
    return file


@pytest.fixture
def plushify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command line on a data folder of this test's own."""
    monkeypatch.setenv("PLUSHIFY_DATA_DIR", str(tmp_path / "data"))
    return Shell(capsys)


async def sign_up(client: Client, email: str) -> None:
    """Makes an account, and signs this browser in to it."""
    response = await client.post("/api/accounts", json={"email": email, "password": PASSWORD})
    assert response.status_code == 201, response.text


async def submit(
    client: Client, photo: bytes | None = PHOTO, *, headers: dict[str, str] | None = None, **fields: str
) -> Response:
    """Submits a photo as the page does."""
    form = {"style": "kawaii", "quality": "standard", **fields}
    # With no file at all, httpx would send no multipart form.
    files: dict[str, Any] = {"image": ("cat.ppm", photo)} if photo is not None else {"extra": (None, "")}
    return await client.post("/api/generations", data=form, files=files, headers=headers)


async def make(client: Client) -> dict[str, Any]:
    """A generation that succeeded."""
    response = await submit(client)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def balance(client: Client) -> int:
    """The credits of who is signed in."""
    found: int = (await client.get("/api/credits")).json()["balance"]
    return found
