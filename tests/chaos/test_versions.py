"""Servers of two adjacent releases side by side on PostgreSQL, under load.

| first | second | |
|---|---|---|
| previous | this | an upgrade from the previous release, taken from the history of the repository |
| this | previous | its rollback: the previous release starts on the schema of this one |
| this | next | an upgrade to this code with one more migration: it finds a revision that it does not know |
| next | this | its rollback |
"""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from plushify_adapters.sql.migrate import revisions
from tests.adapters.postgres import PostgresServer
from tests.browser.server import free_port
from tests.chaos.releases import NEXT_REVISION, Release, next_release, previous_release, this_release
from tests.chaos.replacement import Replacement
from tests.chaos.replica import PLUSHIFY
from tests.chaos.site import Site
from tests.chaos.verdict import judge
from tests.emulators.process import openrouter_emulator

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("chaos")]

PICTURES = 4


@pytest.fixture
def site(tmp_path: Path, postgres: PostgresServer) -> Iterator[Site]:
    """Return an installation without tables, with PostgreSQL and a folder."""
    folder = tmp_path / "blobs"
    folder.mkdir()
    with openrouter_emulator(keep=10_000) as model:
        yield Site(
            "PostgreSQL and a folder",
            tmp_path,
            model,
            database_url=postgres.new_database().replace("postgresql://", "postgresql+asyncpg://"),
            storage_url=folder.as_uri(),
            storage_options={},
            free_credits=1000,
        )


@pytest.fixture
def release(tmp_path: Path) -> Callable[[str], Release]:
    """Return a function that makes a release from its name. `breaking` is a next one, incompatible with this one."""

    def make(name: str) -> Release:
        match name:
            case "previous":
                return previous_release(tmp_path / name)
            case "next":
                return next_release(tmp_path / name, compatible_with=list(revisions().values())[-1])
            case "breaking":
                return next_release(tmp_path / name, compatible_with=NEXT_REVISION)
        return this_release()

    return make


@pytest.mark.parametrize(
    ("first", "second"), [("previous", "this"), ("this", "previous"), ("this", "next"), ("next", "this")]
)
async def test_two_releases_side_by_side(
    site: Site, release: Callable[[str], Release], first: str, second: str
) -> None:
    """One release replaces the other under load: both are ready and deliver pictures, and nothing is lost."""
    replacement = Replacement(site, release(first), release(second), pictures=PICTURES)
    try:
        await replacement.run()
        verdict = await judge(replacement)
    finally:
        await replacement.aclose()
    assert verdict.violations == []


async def test_a_breaking_migration_stops_older_servers(site: Site, release: Callable[[str], Release]) -> None:
    """After a migration that this code cannot run beside, it is not ready, and does not start.

    A downgrade with the newer release makes it start again.
    """
    this, breaking = (release(name).environment(site.environment) for name in ("this", "breaking"))

    def run(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
        done = subprocess.run([PLUSHIFY, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stderr

    async def plushify(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
        return await asyncio.to_thread(run, environment, *arguments)

    assert (await plushify(this, "migrate"))[0] == 0
    exit_code, message = await plushify(breaking, "credits", "show", "ada@chaos.test")
    assert (exit_code, "run `plushify migrate` first" in message) == (1, True)
    assert (await plushify(breaking, "migrate"))[0] == 0
    exit_code, message = await plushify(this, "serve", "--port", str(free_port()))
    assert (exit_code, "run the newer version" in message) == (1, True)
    assert (await plushify(breaking, "migrate", "--downgrade-to", list(revisions())[-1]))[0] == 0
    assert (await plushify(this, "migrate"))[0] == 0
    async with site.store.engine.begin() as connection:
        assert await connection.scalar(text("SELECT version_num FROM schema_revision")) == list(revisions())[-1]
    await site.store.aclose()
