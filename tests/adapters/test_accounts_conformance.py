"""Every account store passes the contract suite of the port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plushify_adapters.conformance import AccountStoreConformance
from plushify_adapters.memory import MemoryAccountStore
from plushify_adapters.sql import SqlAccountStore, SqlStore
from plushify_adapters.sql.migrate import Migrations
from plushify_core.ports import AccountStore
from tests.adapters.postgres import PostgresServer


class TestMemoryAccountStore(AccountStoreConformance):
    """The account store in memory."""

    adapter = MemoryAccountStore


class TestSqlAccountStoreOnSqlite(AccountStoreConformance):
    """The SQL account store on a SQLite file."""

    adapter = SqlAccountStore

    @pytest.fixture
    async def accounts(self, tmp_path: Path) -> AsyncIterator[AccountStore]:  # type: ignore[override]  # pytest awaits it
        """Yield a store on a new file."""
        async for accounts in accounts_at(f"sqlite:///{tmp_path}/plushify.db"):
            yield accounts


class TestSqlAccountStoreOnPostgres(AccountStoreConformance):
    """The SQL account store on PostgreSQL."""

    adapter = SqlAccountStore

    @pytest.fixture
    async def accounts(  # type: ignore[override]  # pytest awaits it
        self, postgres: PostgresServer
    ) -> AsyncIterator[AccountStore]:
        """Yield a store on a new database."""
        async for accounts in accounts_at(postgres.new_database()):
            yield accounts


async def accounts_at(url: str) -> AsyncIterator[AccountStore]:
    """Yield an account store on an empty database."""
    store = SqlStore(url)
    await Migrations(store.engine).upgrade()
    yield SqlAccountStore(store.engine)
    await store.aclose()
