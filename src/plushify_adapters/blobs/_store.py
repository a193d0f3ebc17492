"""Blob store over fsspec. Its blocking calls run in worker threads, and no call outlives the method that made it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from plushify_adapters.blobs._bucket import Bucket
from plushify_adapters.blobs._folder import Folder
from plushify_adapters.blobs._objects import Objects
from plushify_core.ports import BlobStore, validate_key

T = TypeVar("T")

KEYS_PER_STEP = 1000
"""Number of keys that a listing reads per call in a thread. The keys of one generation need one call."""

DEFAULTS: dict[str, dict[str, Any]] = {
    # s3fs signs URLs with signature version 2 by default, which newer regions of AWS refuse.
    "s3": {"config_kwargs": {"signature_version": "s3v4"}},
}
"""Options by scheme of the URL, where the defaults of fsspec do not work."""


class FsspecBlobStore(BlobStore):
    """Stores blobs under a URL. In a local folder, a blob survives a power cut once `put` has returned.

    It uses the synchronous API of fsspec, because the asynchronous one ties a file system to one event loop.

    Args:
        location: a folder, whose `Path` may contain any character; or a URL of fsspec whose writes are atomic, such as
            `s3://bucket/prefix`.
        options: options of fsspec's file system for this URL.
        max_threads: largest number of blocking calls at a time.
    """

    def __init__(self, location: str | Path, *, options: Mapping[str, Any] | None = None, max_threads: int = 8) -> None:
        self._objects = _objects_at(location, options or {})
        self._threads = ThreadPoolExecutor(max_threads, thread_name_prefix="plushify-blobs")

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        validate_key(key)
        await self._in_thread(lambda: self._objects.write(key, data, media_type=media_type))

    def read(self, key: str) -> AsyncIterator[bytes]:
        validate_key(key)
        return self._steps(self._objects.read(key))

    async def delete(self, key: str) -> None:
        validate_key(key)
        await self._in_thread(lambda: self._objects.remove(key))

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        folder = prefix.rpartition("/")[0]
        if folder:
            validate_key(folder)
        listing = self._objects.keys(prefix)
        ended = False
        try:
            while not ended:
                batch = await self._in_thread(lambda: list(islice(listing, KEYS_PER_STEP)))
                ended = len(batch) < KEYS_PER_STEP
                for key in batch:
                    yield key
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
