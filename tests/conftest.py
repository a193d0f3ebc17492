"""Fixtures of all tests. At import, this needs only pytest, because the tests of the core run without the rest."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.adapters.postgres import PostgresServer


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Return the event loop of the asynchronous tests."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> "Iterator[PostgresServer]":
    """Return a PostgreSQL server of this session; with xdist, each worker has one."""
    from tests.adapters.postgres import PostgresServer

    with PostgresServer(durable=False) as server:
        yield server
