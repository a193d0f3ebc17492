"""Every store passes the contract suite of the port."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plushify_adapters.conformance.store import StoreConformance
from plushify_adapters.memory import MemoryStore
from plushify_adapters.sql import SqlStore
from plushify_adapters.sql._tables import METADATA
from plushify_adapters.sql.migrate import Migrations
from plushify_core.ports import Store
from tests.adapters.postgres import PostgresServer


class TestMemoryStore(StoreConformance):
    """The store in memory."""

    adapter = MemoryStore


class TestSqlStoreOnSqlite(StoreConformance):
    """The SQL store on a SQLite file."""

    adapter = SqlStore

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:  # type: ignore[override]  # pytest awaits it
        """Yield a store on a new file."""
        store = SqlStore(f"sqlite:///{tmp_path}/plushify.db")
        await Migrations(store.engine).upgrade()
        yield store
        await store.aclose()


@pytest.fixture(scope="module")
def postgres_url(postgres: PostgresServer) -> str:
    """Return the URL of a database with all tables."""
    url = postgres.new_database()
    asyncio.run(Migrations(url).upgrade())
    return url


class TestSqlStoreOnPostgres(StoreConformance):
    """The SQL store on PostgreSQL."""

    adapter = SqlStore

    @pytest.fixture
    async def store(self, postgres_url: str) -> AsyncIterator[Store]:  # type: ignore[override]  # pytest awaits it
        """Yield a store on the database, after deleting all rows, which is five times faster than a new database."""
        store = SqlStore(postgres_url)
        async with store.engine.begin() as connection:
            for table in reversed(METADATA.sorted_tables):
                await connection.execute(table.delete())
        yield store
        await store.aclose()
