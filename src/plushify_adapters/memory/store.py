"""A store in dictionaries, whose transactions really roll back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plushify_adapters.memory.audit import MemoryAudit
from plushify_adapters.memory.credits import MemoryCredits
from plushify_adapters.memory.generations import MemoryGenerations
from plushify_adapters.memory.model_calls import MemoryModelCalls
from plushify_adapters.memory.tables import Tables
from plushify_core import ports
from plushify_core.ports import Store


class MemoryStore(Store):
    """Runs one transaction after the other, each on a copy that takes the place of the whole when it commits."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[ports.Transaction]:
        async with self._turn:
            tables = self._tables.copy()
            yield MemoryTransaction(tables)
            self._tables = tables


class MemoryTransaction(ports.Transaction):
    """What can be done within one transaction."""

    def __init__(self, tables: Tables) -> None:
        self._generations = MemoryGenerations(tables)
        self._credits = MemoryCredits(tables)
        self._model_calls = MemoryModelCalls(tables)
        self._audit = MemoryAudit(tables)

    @property
    def generations(self) -> ports.Generations:
        return self._generations

    @property
    def credits(self) -> ports.Credits:
        return self._credits

    @property
    def model_calls(self) -> ports.ModelCalls:
        return self._model_calls

    @property
    def audit(self) -> ports.Audit:
        return self._audit
