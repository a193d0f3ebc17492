"""What all tests share. Nothing here imports more than pytest before a test asks for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.adapters.postgres import PostgresServer


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> "Iterator[PostgresServer]":
    """A PostgreSQL server of this session's (with xdist, of this worker's) own."""
    from tests.adapters.postgres import PostgresServer  # here, because the core's tests run without it

    with PostgresServer(durable=False) as server:
        yield server
