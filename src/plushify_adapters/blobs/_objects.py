"""Objects of any file system that fsspec supports, through its synchronous API."""

from collections.abc import Generator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem

from plushify_core.ports import BlobEntry, BlobMissing, validate_key

CHUNK_BYTES = 256 * 1024
"""Size of a chunk that `read` yields: small in memory, and large enough to need few switches between threads."""

BLOCK_BYTES = 4 * 1024 * 1024
"""Size of a request to the file system. Nearly every picture fits into one."""


class Objects:
    """Objects under `path` of a file system whose writes are atomic, like those of S3.

    All methods block. They raise the exceptions of the file system.
    """

    def __init__(self, fs: AbstractFileSystem, path: str) -> None:
        self._fs = DirFileSystem(path, fs)

    def write(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store an object. fsspec has no common argument for the media type: the row that names the blob has it."""
        self._fs.pipe_file(key, data)

    def create(self, key: str, data: bytes, *, media_type: str) -> bool:
        """Store an object unless there is one. Return whether it was stored."""
        if self._fs.exists(key):
            return False
        self.write(key, data, media_type=media_type)
        return True

    def read(self, key: str) -> Generator[bytes, None, None]:
        """Yield the object in chunks.

        Raises:
            BlobMissing: at the first step of the iteration.
        """
        try:
            file = self._fs.open(key, "rb", block_size=BLOCK_BYTES)
        except (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            # File systems differ in the exception for a key that is a folder, or lies below another key.
            raise BlobMissing(key) from error
        with file:
            if getattr(file, "details", {}).get("type") == "directory":  # the key is the folder of other keys
                raise BlobMissing(key)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def remove(self, key: str) -> None:
        """Remove the object. Do nothing if there is none."""
        with suppress(FileNotFoundError):
            self._fs.rm_file(key)

    def move(self, key: str, to: str) -> None:
        """Give an object another key.

        Raises:
            BlobMissing: there is no such object.
        """
        if not self._fs.isfile(key):  # some file systems copy a folder without an error
            raise BlobMissing(key)
        try:
            self._fs.cp_file(key, to)
        except FileNotFoundError as error:
            raise BlobMissing(key) from error
        self.remove(key)

    def entries(self, prefix: str) -> Generator[BlobEntry, None, None]:
        """Yield the objects whose keys begin with `prefix`. fsspec keeps the whole listing of the folder in memory."""
        folder = prefix.rpartition("/")[0]
        for key, facts in self._fs.find(folder, detail=True).items():
            if key.startswith(prefix) and is_key(key):  # some file systems list folders too
                yield BlobEntry(key=key, modified_at=_modified_at(facts))

    def sign(self, key: str, *, expires_s: int, download_name: str | None) -> str | None:
        """Return a signed URL that serves the object for `expires_s` seconds; None if the file system cannot sign.

        fsspec has no common argument for `download_name`, so it is ignored here.
        """
        try:
            url: str = self._fs.sign(key, expiration=expires_s)
        except NotImplementedError:
            return None
        return url


def _modified_at(facts: dict[str, Any]) -> datetime | None:
    """Return the time of the last change, for which fsspec has no common name; None if there is no such time."""
    names = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")
    found = next((facts[name] for name in names if facts.get(name) is not None), None)
    if isinstance(found, int | float):
        return datetime.fromtimestamp(found, UTC)
    if isinstance(found, str):
        try:
            found = datetime.fromisoformat(found)
        except ValueError:
            return None
    if not isinstance(found, datetime):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def is_key(name: str) -> bool:
    """Return whether a listed name has the form of a key."""
    try:
        validate_key(name)
    except ValueError:
        return False
    return True
