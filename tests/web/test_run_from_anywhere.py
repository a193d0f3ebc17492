"""`run` may be called from any process: on real databases, as a job queue that delivers at least once would."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest
from dependency_injector import providers

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel
from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.migrate import Migrations
from plushify_core import Status
from plushify_core.ports import ModelRequest
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.web.conftest import PHOTO, make_container

pytestmark = pytest.mark.anyio

USER = "ada"
TIMES = 20


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/plushify.db"
    new: str = request.getfixturevalue("postgres").new_database()
    return new


@pytest.fixture
def model() -> MemoryImageModel:
    """The model that all processes call; it takes long enough for them to meet."""
    return MemoryImageModel(delay_s=0.1)


@pytest.fixture
async def processes(url: str, model: MemoryImageModel) -> AsyncIterator[list[Container]]:
    """The web process, and two that only run: each with connections of its own to the one database."""
    blobs = MemoryBlobStore()
    made = []
    for _ in range(3):
        container = make_container(Settings())
        container.store.override(providers.Object(SqlStore(url)))
        container.blobs.override(providers.Object(blobs))
        container.model.override(providers.Object(model))
        made.append(container)
    await Migrations(made[0].store().engine).upgrade()
    yield made
    for container in made:
        await container.store().aclose()


async def test_twenty_deliveries_are_one_call(processes: list[Container], model: MemoryImageModel) -> None:
    """One id, delivered ten times each to two processes at once, and once more when all is over: one model call, one
    charge; and every delivery that comes back has the generation as it stands."""
    web, *workers = processes
    submitted = await web.plushify().generate.submit(USER, PHOTO, style="kawaii", quality="standard")

    runs = (worker.plushify().generate.run(submitted.id) for _ in range(TIMES // len(workers)) for worker in workers)
    delivered = await asyncio.gather(*runs)
    late = await web.plushify().generate.run(submitted.id)

    assert len(delivered) == TIMES
    assert [found.status for found in delivered].count(Status.SUCCEEDED) >= 1
    assert {found.status for found in delivered} <= {Status.RUNNING, Status.SUCCEEDED}
    assert late.status is Status.SUCCEEDED
    assert len(model.requests) == 1
    entries = (await web.plushify().credits.statement(USER, limit=10)).items
    assert [entry.amount for entry in entries] == [-1, 3]


async def test_the_web_sees_what_a_worker_made(processes: list[Container], model: MemoryImageModel) -> None:
    """Where a worker runs it, who waits at the web process has the picture all the same."""
    web, worker, _ = processes
    submitted = await web.plushify().generate.submit(USER, PHOTO, style="kawaii", quality="standard")
    waiting = asyncio.create_task(web.plushify().runner.wait(USER, submitted.id, timeout_s=60))
    await worker.plushify().generate.run(submitted.id)
    assert (await waiting).status is Status.SUCCEEDED


async def test_one_stopped_halfway_is_not_run_again(
    processes: list[Container], model: MemoryImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is cancelled settles with a refund; the same id, delivered again, finds that and calls nobody."""
    web, worker, other = processes
    calls: asyncio.Queue[ModelRequest] = asyncio.Queue()

    async def endless(request: ModelRequest) -> NoReturn:
        calls.put_nowait(request)
        await asyncio.Event().wait()
        raise AssertionError("it waits for what never happens")

    monkeypatch.setattr(model, "generate", endless)
    submitted = await web.plushify().generate.submit(USER, PHOTO, style="kawaii", quality="standard")
    running = asyncio.create_task(worker.plushify().generate.run(submitted.id))
    await calls.get()
    running.cancel()
    await asyncio.wait({running})

    again = await other.plushify().generate.run(submitted.id)
    assert (again.status, calls.empty()) == (Status.FAILED, True)
    assert (await web.plushify().credits.ensure_subscription(USER)).balance == 3
