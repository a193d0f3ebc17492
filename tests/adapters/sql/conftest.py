"""Databases on SQLite and PostgreSQL, new for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.migrate import Migrations


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """Return the URL of a new SQLite file."""
    return f"sqlite:///{tmp_path}/plushify.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Return the URL of a new, empty database on each engine."""
    if request.param == "sqlite":
        found: str = request.getfixturevalue("sqlite_url")
        return found
    new: str = request.getfixturevalue("postgres").new_database()
    return new


@pytest.fixture
async def store(url: str) -> AsyncIterator[SqlStore]:
    """Yield a store on the database, with all tables."""
    store = SqlStore(url)
    await Migrations(store.engine).upgrade()
    yield store
    await store.aclose()
