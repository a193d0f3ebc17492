"""Site: an installation to test, with its database, blob store, image model and possible faults."""

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

LIMITS = Limits(late_write_s=15, undo_delete_s=3)
"""Limits of the replicas.

Leases, timeout and sweep interval are the defaults, so that the storm measures the recovery of an installation without
settings. Deletions and the removal of orphaned blobs are sooner, so that the storm covers them too.
"""

FaultInjector = Callable[[float], Awaitable[None]]
"""Causes a fault of the site, and ends it after the given number of seconds."""


class Site:
    """An installation to test.

    Args:
        name: name in the report.
        folder: folder for logs.
        model: emulated image model, in its own process.
        database_url, storage_url, storage_options: as in the settings.
        free_credits: credits of a new user.
        replicas_database_url: URL of the database for the replicas, if it differs from that of the test itself.

    Attributes:
        fault_injectors: faults of the site, apart from those of its replicas.
        replicas: servers of the site.
        store, blobs: adapters with which the test itself reads the data.
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
        self.fault_injectors: dict[Kind, FaultInjector] = {}
        self.replicas: list[Replica] = []
        # One connection, because the fault that cuts all others must not cut the one that it uses itself.
        self.store = SqlStore(database_url, pool_size=1)
        self.blobs = FsspecBlobStore(storage_url, options=storage_options)
        self._database_url = replicas_database_url or database_url
        self._storage_url, self._storage_options = storage_url, storage_options

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of the replicas and of the command line."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PLUSHIFY_")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # with it, each start compiles all modules again
        return environment | {
            "PLUSHIFY_DATABASE_URL": self._database_url,
            "PLUSHIFY_DATABASE_TIMEOUT_S": "1.5",
            "PLUSHIFY_DATABASE_CONNECT_TIMEOUT_S": "1.5",
            "PLUSHIFY_DATABASE_POOL_TIMEOUT_S": "3",
            "PLUSHIFY_STORAGE_URL": self._storage_url,
            "PLUSHIFY_STORAGE_OPTIONS": msgspec.json.encode(self._storage_options).decode(),
            "PLUSHIFY_OPENROUTER_API_KEY": "sk-or-v1-chaos",
            "PLUSHIFY_OPENROUTER_BASE_URL": self.model.base_url,
            "PLUSHIFY_LATE_WRITE_S": str(LIMITS.late_write_s),
            "PLUSHIFY_UNDO_DELETE_S": str(LIMITS.undo_delete_s),
            "PLUSHIFY_FREE_CREDITS": str(self.free_credits),
            "PLUSHIFY_FAILED_GENERATIONS_PER_USER_PER_DAY": "0",  # a few users meet all failures of the storm
            "PLUSHIFY_DRAIN_S": "3",
        }
