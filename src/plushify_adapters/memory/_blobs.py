"""Blob store in memory."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from plushify_core.ports import BlobEntry, BlobMissing, BlobStore, Clock, utc_now, validate_key

CHUNK_BYTES = 64 * 1024


class MemoryBlobStore(BlobStore):
    """Blob store in a dictionary. It cannot sign URLs.

    Tests can read the bytes and media type of each key from `blobs`.

    Args:
        clock: time of the changes that `entries` returns.
    """

    def __init__(self, clock: Clock = utc_now) -> None:
        self.blobs: dict[str, tuple[bytes, str]] = {}
        self._clock = clock
        self._modified: dict[str, datetime] = {}

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        validate_key(key)
        await asyncio.sleep(0)  # other tasks run here, as with a store that does I/O
        self._set(key, data, media_type)

    async def create(self, key: str, data: bytes, *, media_type: str) -> bool:
        validate_key(key)
        await asyncio.sleep(0)
        if key in self.blobs:
            return False
        self._set(key, data, media_type)
        return True

    async def read(self, key: str) -> AsyncIterator[bytes]:
        validate_key(key)
        await asyncio.sleep(0)
        if key not in self.blobs:
            raise BlobMissing(key)
        data, _ = self.blobs[key]
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES]

    async def delete(self, key: str) -> None:
        validate_key(key)
        await asyncio.sleep(0)
        self.blobs.pop(key, None)
        self._modified.pop(key, None)

    async def move(self, key: str, to: str) -> None:
        validate_key(key)
        validate_key(to)
        await asyncio.sleep(0)
        if key not in self.blobs:
            raise BlobMissing(key)
        self._set(to, *self.blobs.pop(key))
        self._modified.pop(key, None)

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        for key in [key for key in self.blobs if key.startswith(prefix)]:
            yield key

    async def entries(self, prefix: str) -> AsyncIterator[BlobEntry]:
        await asyncio.sleep(0)
        for key in sorted(key for key in self.blobs if key.startswith(prefix)):
            yield BlobEntry(key=key, modified_at=self._modified.get(key))

    async def url(self, key: str, *, expires_s: int, download_name: str | None = None) -> str | None:
        validate_key(key)
        return None

    def _set(self, key: str, data: bytes, media_type: str) -> None:
        self.blobs[key] = (bytes(data), media_type)
        self._modified[key] = self._clock()
