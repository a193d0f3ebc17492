"""Store in memory, with transactions that roll back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from plushify_adapters.memory._audit import MemoryAudit
from plushify_adapters.memory._credits import MemoryCredits
from plushify_adapters.memory._generations import MemoryGenerations
from plushify_adapters.memory._installations import MemoryInstallations
from plushify_adapters.memory._model_calls import MemoryModelCalls
from plushify_adapters.memory._tables import Tables
from plushify_core import ports
from plushify_core.ports import Clock, Store, utc_now


class MemoryStore(Store):
    """Store that runs one transaction at a time, on a copy of all tables. A commit replaces the tables by the copy.

    Args:
        clock: time of the store.
    """

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._tables = Tables()
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[ports.Transaction]:
        async with self._lock:
            tables = self._tables.copy()
            yield MemoryTransaction(tables, self._clock)
            self._tables = tables


@dataclass(frozen=True, eq=False)
class MemoryTransaction(ports.Transaction):
    """Transaction that changes `tables`, at the time of `clock`."""

    tables: Tables
    clock: Clock

    async def now(self) -> datetime:
        return self._now

    @cached_property
    def _now(self) -> datetime:
        return self.clock()

    @property
    def generations(self) -> MemoryGenerations:
        return MemoryGenerations(self.tables)

    @property
    def credits(self) -> MemoryCredits:
        return MemoryCredits(self.tables)

    @property
    def model_calls(self) -> MemoryModelCalls:
        return MemoryModelCalls(self.tables)

    @property
    def audit(self) -> MemoryAudit:
        return MemoryAudit(self.tables)

    @property
    def installations(self) -> MemoryInstallations:
        return MemoryInstallations(self.tables)
