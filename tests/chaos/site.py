"""What every place that Plushify can run at has in common, for the harness."""

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from plushify_adapters.blobs import FsspecBlobStore
from plushify_adapters.sql import SqlStore
from plushify_core import Limits
from tests.chaos.plan import Kind
from tests.chaos.replica import Replica
from tests.emulators.process import OpenRouterEmulator

LIMITS = Limits(timeout_s=6, pending_lease_s=2, lease_margin_s=2, late_write_s=15, undo_delete_s=3)
"""Short, so that what a kill leaves behind is settled while somebody watches."""

Strike = Callable[[float], Awaitable[None]]
"""Does something to the site, and undoes it after so many seconds."""


class Site:
    """A place to run: where its database and its blobs are, and what can be done to them.

    Args:
        name: for the report.
        folder: for logs.
        model: the image model, as a process of its own.
        database_url, storage_url, storage_options: as in the settings.
        free_credits: what a new user gets.
        replicas_database_url: the URL of the database for the replicas, if it is not that of the harness.

    Attributes:
        strikes: what can be done to it apart from its replicas.
        store, blobs: the harness's own view of it.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        model: OpenRouterEmulator,
        *,
        database_url: str,
        storage_url: str,
        storage_options: Mapping[str, Any],
        free_credits: int,
        replicas_database_url: str | None = None,
    ) -> None:
        self.name = name
        self.folder = folder
        self.model = model
        self.free_credits = free_credits
        self.strikes: dict[Kind, Strike] = {}
        self.replicas: list[Replica] = []
        # One connection, so that it can spare itself when it cuts those of the replicas.
        self.store = SqlStore(database_url, pool_size=1)
        self.blobs = FsspecBlobStore(storage_url, options=storage_options)
        self._database_url = replicas_database_url or database_url
        self._storage_url, self._storage_options = storage_url, storage_options

    @property
    def environment(self) -> dict[str, str]:
        """The settings of its replicas, and of the command line beside them."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PLUSHIFY_")}
        ours.pop("PYTHONDONTWRITEBYTECODE", None)  # each start would compile all modules again
        return ours | {
            "PLUSHIFY_DATABASE_URL": self._database_url,
            "PLUSHIFY_DATABASE_TIMEOUT_S": "1.5",
            "PLUSHIFY_DATABASE_CONNECT_TIMEOUT_S": "1.5",
            "PLUSHIFY_DATABASE_POOL_TIMEOUT_S": "3",
            "PLUSHIFY_STORAGE_URL": self._storage_url,
            "PLUSHIFY_STORAGE_OPTIONS": msgspec.json.encode(self._storage_options).decode(),
            "PLUSHIFY_OPENROUTER_API_KEY": "sk-or-v1-chaos",
            "PLUSHIFY_OPENROUTER_BASE_URL": self.model.base_url,
            "PLUSHIFY_GENERATION_TIMEOUT_S": str(LIMITS.timeout_s),
            "PLUSHIFY_PENDING_LEASE_S": str(LIMITS.pending_lease_s),
            "PLUSHIFY_LEASE_MARGIN_S": str(LIMITS.lease_margin_s),
            "PLUSHIFY_LATE_WRITE_S": str(LIMITS.late_write_s),
            "PLUSHIFY_UNDO_DELETE_S": str(LIMITS.undo_delete_s),
            "PLUSHIFY_FREE_CREDITS": str(self.free_credits),
            "PLUSHIFY_SWEEP_INTERVAL_S": "1",
            "PLUSHIFY_DRAIN_S": "3",
        }
