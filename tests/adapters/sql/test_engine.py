"""What an engine promises of its connections."""

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
def test_refuses_what_it_cannot_keep(url: str) -> None:
    """Another database, or one in memory, is refused with a sentence, and not when it is first used."""
    with pytest.raises(ValueError, match="database"):
        create_engine(url)


@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("journal_mode", "wal"), ("synchronous", 2), ("fullfsync", 1), ("foreign_keys", 1), ("busy_timeout", 1_500)],
)
async def test_sets_up_sqlite(sqlite_url: str, pragma: str, expected: object) -> None:
    """A commit is synced to the disk (2 is FULL), foreign keys hold, and locks of other processes are waited for."""
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
    """Nobody waits for a lock, or holds one, without end; and a commit is as durable as the server makes it."""
    store = SqlStore(postgres.new_database(), busy_timeout_s=1.5, idle_in_transaction_timeout_s=7)
    async with store.engine.begin() as connection:
        assert (await connection.execute(text(f"SHOW {setting}"))).scalar_one() == expected
    await store.aclose()


async def test_errors_tell_no_values(sqlite_url: str) -> None:
    """An error, which goes to the log, names the statement that failed and nothing of what it was given."""
    store = SqlStore(sqlite_url)
    with pytest.raises(DBAPIError, match="no_such_table") as caught:
        async with store.engine.begin() as connection:
            await connection.execute(text("SELECT :address FROM no_such_table"), {"address": "ann@plushify.test"})
    await store.aclose()

    assert "ann@plushify.test" not in str(caught.value)
