"""Fixtures of all tests. At import, this needs only pytest, because the tests of the core run without the rest."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.adapters.postgres import PostgresServer
    from tests.adapters.tls_postgres import TlsPostgres


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


@pytest.fixture(scope="session")
def tls_postgres(postgres: "PostgresServer", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[TlsPostgres]":
    """Return the address of the PostgreSQL server that takes only connections with TLS and a password."""
    from tests.adapters.tls_postgres import tls_in_front_of

    with tls_in_front_of(postgres, tmp_path_factory.mktemp("certificates")) as address:
        yield address
