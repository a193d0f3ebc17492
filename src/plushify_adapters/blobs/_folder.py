"""Files of a local folder, written atomically and durably.

fsspec's local file system does neither. This module writes a temporary file, syncs it, renames it, and syncs the
folders (https://www.postgresql.org/docs/current/wal-reliability.html explains why).
"""

import os
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from plushify_adapters.blobs._objects import Objects, is_key
from plushify_core.ports import BlobEntry, BlobMissing

INCOMING = ".incoming"
"""Folder of the temporary files. No key begins with a dot, so no blob can be in it."""

LEFTOVER_AGE_S = 3600
"""Age at which a temporary file is removed. No write takes this long, so its process has died."""

MOVE_ATTEMPTS = 100
"""Number of attempts to move a file into a folder that other threads may remove while it is empty."""


class Folder(Objects):
    """Files under `root`. A key cannot be the folder of another key."""

    def __init__(self, root: Path) -> None:
        super().__init__(LocalFileSystem(), str(root))
        self._root = root
        self._incoming = root / INCOMING
        self._next_cleanup = 0.0

    def write(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store a file, atomically and durably. The media type is not stored: the row that names the blob has it."""
        with self._temporary(data) as temporary:
            self._move(temporary, self._root / key)

    def create(self, key: str, data: bytes, *, media_type: str) -> bool:
        """Store a file unless there is one, atomically and durably. Return whether it was stored."""
        target = self._root / key
        with self._temporary(data) as temporary:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(temporary)
            except FileExistsError:
                return False
            except OSError:  # this file system has no hard links
                if target.exists():
                    return False
                self._move(temporary, target)
        self._sync_parents(target)
        return True

    def read(self, key: str) -> Generator[bytes, None, None]:
        """Yield the file in chunks.

        Raises:
            BlobMissing: at the first step of the iteration.
            NotADirectoryError: `root` cannot be a folder, so nothing can be said about its files.
        """
        try:
            yield from super().read(key)
        except BlobMissing:
            with suppress(FileNotFoundError), os.scandir(self._root):
                pass
            raise

    def move(self, key: str, to: str) -> None:
        """Rename a file, and remove the folders that become empty.

        Raises:
            BlobMissing: there is no such file.
        """
        path = self._root / key
        if not path.is_file():
            raise BlobMissing(key)
        self._move(path, self._root / to)
        self._remove_empty_parents(path)

    def remove(self, key: str) -> None:
        """Remove a file, and the folders that become empty."""
        path = self._root / key
        try:
            path.unlink()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return
        self._remove_empty_parents(path)

    def entries(self, prefix: str) -> Generator[BlobEntry, None, None]:
        """Yield the files whose keys begin with `prefix`, while the folders are read. None is in memory as a whole."""
        return self._walk(prefix.rpartition("/")[0], prefix)

    def _walk(self, folder: str, prefix: str) -> Generator[BlobEntry, None, None]:
        try:
            entries = os.scandir(self._root / folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        with entries:
            for entry in entries:
                key = f"{folder}/{entry.name}" if folder else entry.name
                if not key.startswith(prefix) or not is_key(key):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._walk(key, prefix)
                elif entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):  # a concurrent `remove` or `move`
                        modified_at = datetime.fromtimestamp(entry.stat(follow_symlinks=False).st_mtime, UTC)
                        yield BlobEntry(key=key, modified_at=modified_at)

    def _move(self, temporary: Path, target: Path) -> None:
        for attempt in range(MOVE_ATTEMPTS):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(target)
                break
            except (FileNotFoundError, FileExistsError):  # a concurrent `remove` deleted the empty folder
                if attempt == MOVE_ATTEMPTS - 1:
                    raise
        self._sync_parents(target)

    def _sync_parents(self, path: Path) -> None:
        folder = path.parent
        while folder != self._root.parent:  # any of these folders may be new
            _sync(folder)
            folder = folder.parent

    def _remove_empty_parents(self, path: Path) -> None:
        folder = path.parent
        while folder != self._root and _remove_if_empty(folder):
            folder = folder.parent
        _sync(folder)

    @contextmanager
    def _temporary(self, data: bytes) -> Iterator[Path]:
        """Write a temporary file, and remove it at the end if it was not moved."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _remove_leftovers(self) -> None:
        now = time.time()
        if now < self._next_cleanup:
            return
        self._next_cleanup = now + LEFTOVER_AGE_S
        for leftover in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if leftover.stat().st_mtime < now - LEFTOVER_AGE_S:
                    leftover.unlink()


def _remove_if_empty(folder: Path) -> bool:
    """Remove the folder if it is empty. Return whether it was removed."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _sync(folder: Path) -> None:
    """Write the entries of the folder to the disk."""
    if sys.platform == "win32":
        return  # Windows cannot sync a folder
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return  # a concurrent `remove` deleted the folder and its entries
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
