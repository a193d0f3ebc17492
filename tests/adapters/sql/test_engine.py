"""Engines refuse unsuitable databases and set up their connections."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from plushify_adapters.sql import SqlStore
from plushify_adapters.sql.engine import create_engine
from tests.adapters.postgres import PostgresServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url", ["mysql://host/name", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory"]
)
def test_refuses_other_databases_and_databases_in_memory(url: str) -> None:
    """`create_engine` refuses another database, or a SQLite database in memory, with a clear error."""
    with pytest.raises(ValueError, match="database"):
        create_engine(url)


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("journal_mode", "wal"), ("synchronous", 2), ("fullfsync", 1), ("foreign_keys", 1), ("busy_timeout", 1_500)],
)
async def test_sets_up_sqlite(sqlite_url: str, pragma: str, expected: object) -> None:
    """A commit is synced to the disk (2 is FULL), foreign keys are enforced, and `busy_timeout_s` is applied."""
    store = SqlStore(sqlite_url, busy_timeout_s=1.5)
    async with store.engine.begin() as connection:
        assert (await connection.execute(text(f"PRAGMA {pragma}"))).scalar_one() == expected
    await store.aclose()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("lock_timeout", "1500ms"),
        ("idle_in_transaction_session_timeout", "7s"),
        ("transaction_isolation", "read committed"),
        ("synchronous_commit", "on"),
    ],
)
async def test_sets_up_postgres(postgres: PostgresServer, setting: str, expected: str) -> None:
    """Waiting for a lock and an idle transaction have a time limit, and a commit waits for the disk of the server."""
    store = SqlStore(postgres.new_database(), busy_timeout_s=1.5, idle_in_transaction_timeout_s=7)
    async with store.engine.begin() as connection:
        assert (await connection.execute(text(f"SHOW {setting}"))).scalar_one() == expected
    await store.aclose()


async def test_errors_contain_no_parameters(sqlite_url: str) -> None:
    """An error names the failed statement but not its parameters, because errors are logged."""
    store = SqlStore(sqlite_url)
    with pytest.raises(DBAPIError, match="no_such_table") as caught:
        async with store.engine.begin() as connection:
            await connection.execute(text("SELECT :address FROM no_such_table"), {"address": "ann@plushify.test"})
    await store.aclose()

    assert "ann@plushify.test" not in str(caught.value)
