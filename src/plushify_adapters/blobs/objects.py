"""Blobs as the objects of any store that fsspec knows, by its synchronous API."""

from collections.abc import Generator
from contextlib import suppress

from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem

from plushify_core.ports import BlobMissing, validate_key

CHUNK_BYTES = 256 * 1024
"""What is handed on at once: little for a reader to hold, and few switches between threads."""

BLOCK_BYTES = 4 * 1024 * 1024
"""What is asked for at once: nearly every picture in one request."""


class Objects:
    """Objects under `path` of a file system whose writes are atomic, as those of S3 are.

    Every method blocks, and raises what the file system raises.
    """

    def __init__(self, fs: AbstractFileSystem, path: str) -> None:
        self._fs = DirFileSystem(path, fs)

    def write(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store an object. fsspec has no common name for its media type: the row that refers to it has it."""
        self._fs.pipe_file(key, data)

    def read(self, key: str) -> Generator[bytes, None, None]:
        """The object in chunks.

        Raises:
            BlobMissing: at the first step.
        """
        try:
            file = self._fs.open(key, "rb", block_size=BLOCK_BYTES)
        except (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise BlobMissing(key) from error  # each is what some file system says of a key above or below another
        with file:
            if getattr(file, "details", {}).get("type") == "directory":  # there are other keys below it
                raise BlobMissing(key)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def remove(self, key: str) -> None:
        """Remove the object, if there is one."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(key)

    def keys(self, prefix: str) -> Generator[str, None, None]:
        """The keys that begin with `prefix`. fsspec holds the whole folder in memory."""
        folder = prefix.rpartition("/")[0]
        for key in self._fs.find(folder):
            if key.startswith(prefix) and is_key(key):  # some stores list their folders too
                yield key

    def sign(self, key: str, *, expires_s: int, download_name: str | None) -> str | None:
        """An address that serves the object for a time, under no name of its own; None if there is none."""
        try:
            url: str = self._fs.sign(key, expiration=expires_s)
        except NotImplementedError:
            return None
        return url


def is_key(name: str) -> bool:
    """Whether a name that is listed can be a blob's."""
    try:
        validate_key(name)
    except ValueError:
        return False
    return True
