"""Application on the in-memory adapters, and its clients."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
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
from tests.web.photos import jpeg

PHOTO = b"P6\n4 3\n255\n" + bytes(range(36))
PASSWORD = "correct horse battery"
ADA = {"email": "ada@plushify.test", "password": PASSWORD}
"""Account of the fixture `client`."""

Client = httpx.AsyncClient
Connect = Callable[..., AbstractAsyncContextManager[Client]]


class NothingToMigrate:
    """Migrations of a store without a schema."""

    async def check(self) -> None:
        """Do nothing."""


def make_container(settings: Settings) -> Container:
    """Return a container with in-memory adapters and fast password hashes."""
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
    """Return a client that sends the headers of a browser that shows our page."""
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url=base_url, headers={"Sec-Fetch-Site": "same-origin"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with a temporary data folder, and without waiting at shutdown."""
    return Settings(data_dir=tmp_path / "data", drain_s=0)


@pytest.fixture
def container(settings: Settings) -> Container:
    """Return the container of the application."""
    return make_container(settings)


@pytest.fixture
def model(container: Container) -> MemoryImageModel:
    """Return the image model of the application."""
    model: MemoryImageModel = container.model()
    return model


@pytest.fixture
async def connect(container: Container) -> AsyncIterator[Connect]:
    """Start the application, and yield a function that connects a new browser to it.

    Given an email address, the browser signs up with it.
    """
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
    """Connect a browser without signing in."""
    async with connect() as client:
        yield client


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[Client]:
    """Connect a browser, signed in as Ada."""
    async with connect(ADA["email"]) as client:
        yield client


@pytest.fixture
async def stranger(connect: Connect) -> AsyncIterator[Client]:
    """Connect a browser, signed in as another user."""
    async with connect("eve@plushify.test") as client:
        yield client


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Write a photo of 96 × 64 px, and return its path."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(jpeg())
    return file


@pytest.fixture
def plushify(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Return the command line with a temporary data folder."""
    monkeypatch.setenv("PLUSHIFY_DATA_DIR", str(tmp_path / "data"))
    return Shell(capsys)


async def sign_up(client: Client, email: str) -> None:
    """Create an account, and sign this browser in to it."""
    response = await client.post("/api/accounts", json={"email": email, "password": PASSWORD})
    assert response.status_code == 201, response.text


async def submit(
    client: Client, photo: bytes | None = PHOTO, *, headers: dict[str, str] | None = None, **fields: str
) -> Response:
    """Submit a photo as the page does."""
    form = {"style": "kawaii", "quality": "standard", **fields}
    # Without any file, httpx sends no multipart form.
    files: dict[str, Any] = {"image": ("cat.ppm", photo)} if photo is not None else {"extra": (None, "")}
    return await client.post("/api/generations", data=form, files=files, headers=headers)


async def make(client: Client) -> dict[str, Any]:
    """Submit a photo, and return its succeeded generation."""
    response = await submit(client)
    assert response.status_code == 201, response.text
    generation: dict[str, Any] = response.json()
    return generation


async def balance(client: Client) -> int:
    """Return the balance of the signed-in user, in credits."""
    credits: int = (await client.get("/api/credits")).json()["balance"]
    return credits
