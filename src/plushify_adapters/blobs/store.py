"""The port over fsspec: every call in a worker thread, and none left behind in one."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from plushify_adapters.blobs.bucket import Bucket
from plushify_adapters.blobs.folder import Folder
from plushify_adapters.blobs.objects import Objects
from plushify_core.ports import BlobStore, validate_key

T = TypeVar("T")

KEYS_PER_STEP = 1000
"""What a listing reads in one go in a thread. The listing of one generation takes a single step."""

DEFAULTS: dict[str, dict[str, Any]] = {
    # The older signatures, which it takes for addresses otherwise, are refused by the newer regions of AWS.
    "s3": {"config_kwargs": {"signature_version": "s3v4"}},
}
"""Options by the scheme of the URL, where what fsspec does by itself does not serve."""


class FsspecBlobStore(BlobStore):
    """Keeps blobs under a URL. In a local folder, what `put` has returned from survives a power cut.

    fsspec's synchronous API is used because its file systems tie their asynchronous one to one event loop.

    Args:
        url: a path, `file:///path`, `s3://bucket/prefix`, or any URL that fsspec knows and whose writes are atomic.
        options: what fsspec's file system for this URL takes.
        max_threads: how many blobs are read or written at once.
    """

    def __init__(self, url: str, *, options: Mapping[str, Any] | None = None, max_threads: int = 8) -> None:
        defaults = DEFAULTS.get(url.partition("://")[0], {})
        # Another process may write too, so what a listing said a moment ago need not be true now.
        fs, path = url_to_fs(url, **{"use_listings_cache": False, **defaults, **(options or {})})
        self._objects = _objects(fs, path)
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
            if not ended:  # the folders it has open are closed in a thread, too
                await self._in_thread(listing.close)

    async def url(self, key: str, *, expires_s: int, download_name: str | None = None) -> str | None:
        validate_key(key)
        return await self._in_thread(lambda: self._objects.sign(key, expires_s=expires_s, download_name=download_name))

    async def _steps(self, steps: Generator[T, None, None]) -> AsyncGenerator[T, None]:
        """What `steps` yields, each step in a thread. It is closed there, too, and with it the file it has open."""
        try:
            while (item := await self._in_thread(lambda: next(steps, None))) is not None:
                yield item
        finally:
            await self._in_thread(steps.close)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """The result of `work`. Cancelled or not, it ends only when `work` has, or will never begin."""
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
                waiting.exception()  # or asyncio would report that nobody asked for it
            raise asyncio.CancelledError
        return waiting.result()


def _objects(fs: AbstractFileSystem, path: str) -> Objects:
    if isinstance(fs, LocalFileSystem):
        return Folder(Path(path))
    if "s3" in fs.protocol:
        return Bucket(fs, path)
    return Objects(fs, path)
