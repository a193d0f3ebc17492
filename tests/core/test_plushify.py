"""Front door of the core: its defaults, its use cases, and its background work."""

import asyncio
from datetime import timedelta

import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryImageCodec, MemoryImageModel, MemoryStore
from plushify_core import (
    DEFAULT_CATALOG,
    AuditUseCase,
    CostsUseCase,
    CreditsUseCase,
    GalleryUseCase,
    GenerateUseCase,
    InstallationUseCase,
    Limits,
    Plushify,
    RecoverUseCase,
    Runner,
    Status,
    Sweeper,
)
from tests.in_memory import PHOTO, InMemoryPlushify
from tests.virtual_time import on_virtual_time

USE_CASES = {
    "generate": GenerateUseCase,
    "gallery": GalleryUseCase,
    "credits": CreditsUseCase,
    "recover": RecoverUseCase,
    "audit": AuditUseCase,
    "costs": CostsUseCase,
    "installation": InstallationUseCase,
    "runner": Runner,
    "sweeper": Sweeper,
}
PORTS = ("store", "blobs", "codec", "model", "events", "clock", "new_id", "catalog", "limits")


def with_defaults() -> Plushify:
    """Return a front door with only the arguments that have no default."""
    return Plushify(
        store=MemoryStore(),
        blobs=MemoryBlobStore(),
        codec=MemoryImageCodec(),
        model=MemoryImageModel(),
        events=MemoryEvents(),
    )


def test_defaults() -> None:
    """Catalog and limits have the defaults of the domain."""
    plushify = with_defaults()

    assert plushify.catalog is DEFAULT_CATALOG
    assert plushify.limits == Limits()


def test_default_clock() -> None:
    """The default clock returns UTC with a time zone."""
    assert with_defaults().clock().utcoffset() == timedelta(0)


def test_default_ids() -> None:
    """The default ids are UUIDs version 7 that increase."""
    plushify = with_defaults()

    made = [plushify.new_id() for _ in range(100)]

    assert {each.version for each in made} == {7}
    assert made == sorted(set(made))


@on_virtual_time
async def test_the_defaults_make_a_picture() -> None:
    """A front door with only the required arguments makes a plushie."""
    plushify = with_defaults()

    generation = await plushify.generate.generate("ann", PHOTO, style="kawaii", quality="standard")

    assert generation.status is Status.SUCCEEDED
    assert (await plushify.credits.ensure_subscription("ann")).balance == Limits().free_credits - 1


@pytest.mark.parametrize(("name", "use_case"), USE_CASES.items(), ids=list(USE_CASES))
def test_use_cases(name: str, use_case: type) -> None:
    """Every use case is an attribute of the front door, and is created once."""
    plushify = with_defaults()

    assert type(getattr(plushify, name)) is use_case
    assert getattr(plushify, name) is getattr(plushify, name)


def test_use_cases_are_complete() -> None:
    """The front door has no attributes except its arguments and the use cases that are tested here."""
    public = {name for name in dir(Plushify) if not name.startswith("_")} | set(Plushify.__dataclass_fields__)

    assert public == {*USE_CASES, *PORTS, "running"}


@pytest.mark.parametrize("name", ["generate", "gallery", "credits", "recover", "audit", "costs"])
def test_use_cases_share_the_ports(name: str) -> None:
    """A use case works on the ports, catalog and limits of its front door."""
    plushify = with_defaults()
    use_case = getattr(plushify, name)

    shared = [port for port in PORTS if hasattr(use_case, port)]

    assert "store" in shared
    assert [port for port in shared if getattr(use_case, port) is not getattr(plushify, port)] == []


@on_virtual_time
async def test_running_sweeps() -> None:
    """While the block is open, the sweeps reclaim and run what a dead process left pending."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit()

    async with plushify.running():
        await asyncio.sleep(plushify.limits.pending_lease_s + 2 * plushify.limits.sweep_interval_s)

    assert (await plushify.row(generation.id)).status is Status.SUCCEEDED


@on_virtual_time
async def test_running_runs_extra_jobs() -> None:
    """Extra jobs run at the start of the block and at each sweep interval, and no longer after the block."""
    plushify = InMemoryPlushify(limits=Limits(sweep_interval_s=10))
    loop = asyncio.get_running_loop()
    ran_at_s: list[float] = []

    async def job() -> None:
        ran_at_s.append(loop.time())

    async with plushify.running(job):
        await asyncio.sleep(35)
    await asyncio.sleep(60)

    assert ran_at_s == [0, 10, 20, 30]


@on_virtual_time
async def test_running_survives_a_failing_job(caplog: pytest.LogCaptureFixture) -> None:
    """A job that fails is logged and runs again, and the other jobs still run."""
    plushify = InMemoryPlushify(limits=Limits(sweep_interval_s=10))
    calls = {"failing": 0, "healthy": 0}

    async def failing() -> None:
        calls["failing"] += 1
        raise OSError("the disk is full")

    async def healthy() -> None:
        calls["healthy"] += 1

    async with plushify.running(failing, healthy):
        await asyncio.sleep(25)

    assert calls == {"failing": 3, "healthy": 3}
    logged = [record for record in caplog.records if record.exc_info is not None]
    assert ["failing" in record.getMessage() for record in logged] == [True] * 3


@on_virtual_time
async def test_running_drains() -> None:
    """The end of the block waits for the running generations."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=15))

    async with plushify.running():
        generation = await plushify.submit()
        plushify.runner.start(generation.id, user_id="ann")
        await asyncio.sleep(1)

    assert asyncio.get_running_loop().time() == 15
    assert (await plushify.row(generation.id)).status is Status.SUCCEEDED


@on_virtual_time
async def test_running_drains_after_an_error() -> None:
    """The running generations end although the block ends with an exception, and the exception is raised."""
    plushify = InMemoryPlushify(model=MemoryImageModel(delay_s=15))
    generation = await plushify.submit()

    async def serve() -> None:
        async with plushify.running():
            plushify.runner.start(generation.id, user_id="ann")
            await asyncio.sleep(1)
            raise LookupError

    with pytest.raises(LookupError):
        await serve()
    assert (await plushify.row(generation.id)).status is Status.SUCCEEDED


@on_virtual_time
async def test_running_can_be_opened_again() -> None:
    """After `running()` has ended it can be opened again: it accepts, runs and sweeps as the first time."""
    plushify = InMemoryPlushify()
    for number in range(2):
        async with plushify.running():
            with plushify.runner.reserve():
                generation = await plushify.submit(f"user {number}")
                plushify.runner.start(generation.id, user_id=generation.user_id)
            ended = await plushify.runner.wait(generation.user_id, generation.id, timeout_s=60)
        assert ended.status is Status.SUCCEEDED
