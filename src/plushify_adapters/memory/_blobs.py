"""Blob store in memory."""

import asyncio
from collections.abc import AsyncIterator

from plushify_core.ports import BlobMissing, BlobStore, validate_key

CHUNK_BYTES = 64 * 1024


class MemoryBlobStore(BlobStore):
    """Blob store in a dictionary. It cannot sign URLs.

    Tests can read the bytes and media type of each key from `blobs`.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, tuple[bytes, str]] = {}

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        validate_key(key)
        await asyncio.sleep(0)  # other tasks run here, as with a store that does I/O
        self.blobs[key] = (bytes(data), media_type)

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

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        for key in [key for key in self.blobs if key.startswith(prefix)]:
            yield key

    async def url(self, key: str, *, expires_s: int, download_name: str | None = None) -> str | None:
        validate_key(key)
        return None
