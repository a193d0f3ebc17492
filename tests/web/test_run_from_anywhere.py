"""`run` called from several processes on real databases, as by a job queue with at-least-once delivery."""

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
DELIVERIES = 20


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new, empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/plushify.db"
    new: str = request.getfixturevalue("postgres").new_database()
    return new


@pytest.fixture
def model() -> MemoryImageModel:
    """Return the model of all processes. Its delay makes concurrent calls of `run` overlap."""
    return MemoryImageModel(delay_s=0.1)


@pytest.fixture
async def processes(url: str, model: MemoryImageModel) -> AsyncIterator[list[Container]]:
    """Return the containers of a web process and two workers, each with its own connections to the same database."""
    blobs = MemoryBlobStore()
    containers = []
    for _ in range(3):
        container = make_container(Settings())
        container.store.override(providers.Object(SqlStore(url)))
        container.blobs.override(providers.Object(blobs))
        container.model.override(providers.Object(model))
        containers.append(container)
    await Migrations(containers[0].store().engine).upgrade()
    yield containers
    for container in containers:
        await container.store().aclose()


async def test_repeated_deliveries_call_the_model_once(processes: list[Container], model: MemoryImageModel) -> None:
    """Twenty concurrent deliveries to two workers, and one after the end, cause one model call and one charge.

    Each of them returns the generation in its current status.
    """
    web, *workers = processes
    submitted = await web.plushify().generate.submit(USER, PHOTO, style="kawaii", quality="standard")

    receivers = workers * (DELIVERIES // len(workers))
    runs = (worker.plushify().generate.run(submitted.id) for worker in receivers)
    delivered = await asyncio.gather(*runs)
    late = await web.plushify().generate.run(submitted.id)

    assert len(delivered) == DELIVERIES
    assert [found.status for found in delivered].count(Status.SUCCEEDED) >= 1
    assert {found.status for found in delivered} <= {Status.RUNNING, Status.SUCCEEDED}
    assert late.status is Status.SUCCEEDED
    assert len(model.requests) == 1
    entries = (await web.plushify().credits.statement(USER, limit=10)).items
    assert [entry.amount for entry in entries] == [-1, 3]


async def test_the_web_process_sees_the_result_of_a_worker(processes: list[Container], model: MemoryImageModel) -> None:
    """A request that waits in the web process gets the picture that a worker has made."""
    web, worker, _ = processes
    submitted = await web.plushify().generate.submit(USER, PHOTO, style="kawaii", quality="standard")
    waiting = asyncio.create_task(web.plushify().runner.wait(USER, submitted.id, timeout_s=60))
    await worker.plushify().generate.run(submitted.id)
    assert (await waiting).status is Status.SUCCEEDED


async def test_a_cancelled_generation_is_not_run_again(
    processes: list[Container], model: MemoryImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancelled worker refunds the generation; a later delivery returns it failed and does not call the model."""
    web, worker, other = processes
    calls: asyncio.Queue[ModelRequest] = asyncio.Queue()

    async def endless(request: ModelRequest) -> NoReturn:
        calls.put_nowait(request)
        await asyncio.Event().wait()
        raise AssertionError("the event is never set")

    monkeypatch.setattr(model, "generate", endless)
    submitted = await web.plushify().generate.submit(USER, PHOTO, style="kawaii", quality="standard")
    running = asyncio.create_task(worker.plushify().generate.run(submitted.id))
    await calls.get()
    running.cancel()
    await asyncio.wait({running})

    again = await other.plushify().generate.run(submitted.id)
    assert (again.status, calls.empty()) == (Status.FAILED, True)
    assert (await web.plushify().credits.ensure_subscription(USER)).balance == 3
