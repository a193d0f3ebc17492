"""A committed posting survives a kill of its process."""

import asyncio
import signal
import sys

import pytest

from plushify_adapters.conformance.store.suite import balance_of, open_account
from plushify_adapters.sql import SqlStore

pytestmark = pytest.mark.anyio

SPEND_AND_KILL_ITSELF = """
import asyncio, os, signal, sys, uuid
from plushify_adapters.conformance.store.entities import entry
from plushify_adapters.sql import SqlStore

async def main():
    store = SqlStore(sys.argv[1])
    async with store.begin() as tx:
        await tx.credits.post(entry(-1, id=uuid.uuid4()))
    async with store.begin() as tx:
        await tx.credits.post(entry(-5, id=uuid.uuid4()))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_a_killed_process_loses_only_its_open_transaction(url: str, store: SqlStore) -> None:
    """A process killed inside a transaction loses that transaction, keeps its earlier commits, and holds no lock."""
    await open_account(store, 10)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SPEND_AND_KILL_ITSELF, url)
    assert await process.wait() == -signal.SIGKILL
    assert await balance_of(store) == 9
    async with store.begin() as tx:
        assert len(await tx.credits.entries("ann", after=None, limit=9)) == 2
