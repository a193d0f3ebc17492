"""Blob store over fsspec. Its blocking calls run in worker threads, and no call outlives the method that made it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from contextlib import aclosing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from plushify_adapters.blobs._bucket import Bucket
from plushify_adapters.blobs._folder import Folder
from plushify_adapters.blobs._objects import Objects
from plushify_adapters.blobs._threads import DaemonThreads
from plushify_core.ports import BlobEntry, BlobStore, validate_key

T = TypeVar("T")

KEYS_PER_STEP = 1000
"""Number of keys that a listing reads per call in a thread. The keys of one generation need one call."""

DEFAULTS: dict[str, dict[str, Any]] = {
    # s3fs signs URLs with signature version 2 by default, which newer regions of AWS refuse.
    # A server that goes silent is given up after some seconds. s3fs itself makes five attempts, on new connections, so
    # botocore need not repeat them: by default, both together wait for half an hour.
    "s3": {
        "config_kwargs": {
            "signature_version": "s3v4",
            "connect_timeout": 5,
            "read_timeout": 15,
            "retries": {"total_max_attempts": 1},
        }
    },
}
"""Options by scheme of the URL, where the defaults of fsspec do not work."""


class FsspecBlobStore(BlobStore):
    """Blob store under a URL. In a local folder, a blob survives a power cut once `put` has returned.

    It uses the synchronous API of fsspec, because the asynchronous one ties a file system to one event loop.

    Args:
        location: a folder, whose `Path` may contain any character; or a URL of fsspec whose writes are atomic, such as
            `s3://bucket/prefix`.
        options: options of fsspec's file system for this URL.
        max_threads: largest number of blocking calls at a time.
    """

    def __init__(self, location: str | Path, *, options: Mapping[str, Any] | None = None, max_threads: int = 8) -> None:
        self._objects = _objects_at(location, options or {})
        self._threads = DaemonThreads(max_threads, name="plushify-blobs")

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        validate_key(key)
        await self._in_thread(lambda: self._objects.write(key, data, media_type=media_type))

    async def create(self, key: str, data: bytes, *, media_type: str) -> bool:
        validate_key(key)
        return await self._in_thread(lambda: self._objects.create(key, data, media_type=media_type))

    def read(self, key: str) -> AsyncIterator[bytes]:
        validate_key(key)
        return self._steps(self._objects.read(key))

    async def delete(self, key: str) -> None:
        validate_key(key)
        await self._in_thread(lambda: self._objects.remove(key))

    async def move(self, key: str, to: str) -> None:
        validate_key(key)
        validate_key(to)
        await self._in_thread(lambda: self._objects.move(key, to))

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        async with aclosing(self.entries(prefix)) as entries:
            async for entry in entries:
                yield entry.key

    async def entries(self, prefix: str) -> AsyncGenerator[BlobEntry, None]:
        folder = prefix.rpartition("/")[0]
        if folder:
            validate_key(folder)
        listing = self._objects.entries(prefix)
        ended = False
        try:
            while not ended:
                batch = await self._in_thread(lambda: list(islice(listing, KEYS_PER_STEP)))
                ended = len(batch) < KEYS_PER_STEP
                for entry in batch:
                    yield entry
        finally:
            if not ended:  # closing the open folders blocks as well
                await self._in_thread(listing.close)

    async def url(self, key: str, *, expires_s: int, download_name: str | None = None) -> str | None:
        validate_key(key)
        return await self._in_thread(lambda: self._objects.sign(key, expires_s=expires_s, download_name=download_name))

    async def _steps(self, steps: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        """Run each step of the generator in a thread, and close it there, which closes its open file."""
        try:
            while (item := await self._in_thread(lambda: next(steps, None))) is not None:
                yield item
        finally:
            await self._in_thread(steps.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread. Even if cancelled, end only when `work` has ended or can no longer start."""
        job = self._threads.submit(work)
        waiting = asyncio.wrap_future(job)
        cancelled = False
        while not waiting.done():
            try:
                await asyncio.wait({waiting})
            except asyncio.CancelledError:
                cancelled = True
                job.cancel()
        if cancelled:
            if not waiting.cancelled():
                waiting.exception()  # otherwise asyncio logs that the exception was never retrieved
            raise asyncio.CancelledError
        return waiting.result()


def _objects_at(location: str | Path, options: Mapping[str, Any]) -> Objects:
    if isinstance(location, Path):
        return Folder(location.absolute())
    defaults = DEFAULTS.get(location.partition("://")[0], {})
    # Other processes may write too, so a cached listing may be wrong.
    fs, path = url_to_fs(location, **{"use_listings_cache": False, **defaults, **options})
    if isinstance(fs, LocalFileSystem):
        return Folder(Path(path))
    if "s3" in fs.protocol:
        return Bucket(fs, path)
    return Objects(fs, path)
