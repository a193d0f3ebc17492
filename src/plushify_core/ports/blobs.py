"""Blob store: where the bytes of pictures are kept."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

import msgspec

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)


class BlobMissing(Exception):
    """Error for a key that no blob has."""


def validate_key(key: str) -> None:
    """Validate the key of a blob. Adapters call this first, so that no key can leave the folder of the store.

    Raises:
        ValueError: `key` does not have the form that `BlobStore` describes.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key of a blob: {key!r}")


class BlobEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Blob in a listing. `modified_at` is the time of its last change; None if the store does not record it."""

    key: str
    modified_at: datetime | None


class BlobStore(Protocol):
    """Store of bytes under keys.

    A key is one or more names separated by `/`. A name has ASCII letters, digits, `-`, `_` and `.`, and does not start
    with `.`.

    Any exception other than `BlobMissing` means that the store is unavailable. The use cases handle it.
    """

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store `data`, replacing an existing blob. Readers see all of it or nothing.

        Once the call has ended, by return, exception or cancellation, nothing more is written.
        """
        ...

    async def create(self, key: str, data: bytes, *, media_type: str) -> bool:
        """Store `data` unless the key has a blob. Return False, and change nothing, if it has one.

        If the store can write conditionally, one of several concurrent calls returns True. If it cannot, the last one
        may win, so callers read the blob afterwards.
        """
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """Return the bytes of the blob in chunks.

        Raises:
            BlobMissing: at the first step of the iteration.
        """
        ...

    async def delete(self, key: str) -> None:
        """Delete the blob. Do nothing if there is none."""
        ...

    async def move(self, key: str, to: str) -> None:
        """Give the blob the key `to`, replacing an existing blob, without reading its bytes into this process.

        If the process dies meanwhile, the blob has its old key, its new key or both.

        Raises:
            BlobMissing: `key` has no blob.
        """
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """Return the keys that begin with `prefix`, in any order. A large listing is streamed if the store can."""
        ...

    def entries(self, prefix: str) -> AsyncIterator[BlobEntry]:
        """Return an entry for each key that `keys` returns. The blobs directly in one folder are adjacent."""
        ...

    async def url(self, key: str, *, expires_s: int, download_name: str | None = None) -> str | None:
        """Return a signed URL that serves the blob to anyone for `expires_s` seconds.

        With `download_name`, browsers save the blob under this file name. Return None if the store cannot sign URLs.
        """
        ...
