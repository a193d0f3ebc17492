"""Adapters that fail the way their technologies do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel, MemoryStore
from plushify_core.ports import ModelRequest, ModelResult, Transaction


class BrokenBlobs(MemoryBlobStore):
    """Refuses the calls named in `refused` ("put original", "keys", …), and delays those in `delays_s`."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()
        self.delays_s: dict[str, float] = {}

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store it, later or not at all."""
        await self._meet(f"put {_name(key)}")
        await super().put(key, data, media_type=media_type)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Likewise."""
        await self._meet(f"read {_name(key)}")
        async for chunk in super().read(key):
            yield chunk

    async def delete(self, key: str) -> None:
        """Likewise."""
        await self._meet(f"delete {_name(key)}")
        await super().delete(key)

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """Likewise."""
        await self._meet("keys")
        async for key in super().keys(prefix):
            yield key

    async def _meet(self, call: str) -> None:
        await asyncio.sleep(self.delays_s.get(call, 0))
        if call in self.refused:
            raise OSError(f"no {call} today")


class BrokenStore(MemoryStore):
    """Refuses the next `refusals` commits; then carries out `lost_answers` that change something, and says it has not.

    Each commit takes `commit_delay_s` seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refusals = 0
        self.commit_delay_s = 0.0
        self.lost_answers = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """A transaction whose end may go wrong."""
        before = self._tables
        async with super().begin() as tx:
            yield tx
            await asyncio.sleep(self.commit_delay_s)
            if self.refusals:
                self.refusals -= 1
                raise ConnectionError("the database has gone away")
        if self.lost_answers and self._tables != before:
            self.lost_answers -= 1
            raise ConnectionError("the answer of the database is lost")


class StubbornModel(MemoryImageModel):
    """Draws to the end of `delay_s`, however often it is cancelled meanwhile."""

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Draw, and do not stop."""
        drawing = asyncio.ensure_future(super().generate(request))
        while not drawing.done():
            try:
                await asyncio.shield(drawing)
            except asyncio.CancelledError:
                continue
        return drawing.result()


def _name(key: str) -> str:
    return key.rsplit("/", 1)[1]
