"""Adapters that fail the way their technologies do."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel, MemoryStore
from plushify_core.ports import BlobEntry, ModelRequest, ModelResult, Transaction
from tests import virtual_time

T = TypeVar("T")


async def ignore_cancellation(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, as an adapter does that ignores every cancellation of its call."""
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
    return task.result()


class BrokenBlobs(MemoryBlobStore):
    """Blob store that refuses and delays calls. A call is named "keys", or "put original", "read original", ….

    Attributes:
        refused: calls that raise an error.
        delays_s: delay of a call before it has an effect, in seconds.
        put_calls: names of the pictures that callers tried to store, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()
        self.delays_s: dict[str, float] = {}
        self.put_calls: list[str] = []

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store the blob, unless the call is refused."""
        self.put_calls.append(_name(key))
        await self._delay_or_refuse(f"put {_name(key)}")
        await super().put(key, data, media_type=media_type)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Return the bytes of the blob, unless the call is refused."""
        await self._delay_or_refuse(f"read {_name(key)}")
        async for chunk in super().read(key):
            yield chunk

    async def delete(self, key: str) -> None:
        """Delete the blob, unless the call is refused."""
        await self._delay_or_refuse(f"delete {_name(key)}")
        await super().delete(key)

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """Return the keys that begin with `prefix`, unless the call is refused."""
        await self._delay_or_refuse("keys")
        async for key in super().keys(prefix):
            yield key

    async def entries(self, prefix: str) -> AsyncIterator[BlobEntry]:
        """Return the blobs whose keys begin with `prefix`, unless the call is refused. The call is named "keys" too."""
        await self._delay_or_refuse("keys")
        async for entry in super().entries(prefix):
            yield entry

    async def _delay_or_refuse(self, call: str) -> None:
        await asyncio.sleep(self.delays_s.get(call, 0))
        if call in self.refused:
            raise OSError(f"the blob store refuses {call}")


class StubbornBlobs(BrokenBlobs):
    """Blob store whose `put` ignores its cancellation and stores the blob after its delay."""

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store the blob."""
        await ignore_cancellation(super().put(key, data, media_type=media_type))


class BrokenStore(MemoryStore):
    """Store whose commits fail.

    Attributes:
        refusals: number of the next commits that raise an error and roll back.
        lost_answers: number of the next commits with changes that raise an error although they succeed. They are
            counted after the refusals.
        commit_delay_s: duration of each commit, in seconds.
        transactions: number of transactions so far.
    """

    def __init__(self) -> None:
        super().__init__(clock=virtual_time.now)
        self.refusals = 0
        self.lost_answers = 0
        self.commit_delay_s = 0.0
        self.transactions = 0

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Return a transaction whose commit may fail."""
        self.transactions += 1
        before = self._tables
        async with super().begin() as tx:
            yield tx
            await asyncio.sleep(self.commit_delay_s)
            if self.refusals:
                self.refusals -= 1
                raise ConnectionError("the database is unavailable")
        if self.lost_answers and self._tables != before:
            self.lost_answers -= 1
            raise ConnectionError("the connection broke during the commit")


class StubbornModel(MemoryImageModel):
    """Image model that ignores its cancellation and returns its picture after `delay_s`."""

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Draw one picture."""
        return await ignore_cancellation(super().generate(request))


def _name(key: str) -> str:
    return key.rpartition("/")[2]
