"""Blobs as the files of a local folder: each whole or not there, and still there after a power cut.

fsspec's own local files are neither: what this module adds is a temporary file, `fsync` and `rename`
(https://www.postgresql.org/docs/current/wal-reliability.html tells why each is needed).
"""

import os
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

from fsspec.implementations.local import LocalFileSystem

from plushify_adapters.blobs.objects import Objects, is_key

INCOMING = ".incoming"
"""Where files are written before they take their place. No key begins with a dot, so it is none's folder."""

LEFTOVER_AGE_S = 3600
"""A temporary file as old as this belongs to a process that died: no write takes so long."""

MOVE_ATTEMPTS = 100
"""How often other threads may remove an empty folder under a file that is about to be moved there."""


class Folder(Objects):
    """Files under `root`. No key can be the folder of another."""

    def __init__(self, root: Path) -> None:
        super().__init__(LocalFileSystem(), str(root))
        self._root = root
        self._incoming = root / INCOMING
        self._next_cleaning = 0.0

    def write(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store a file, durably. Its media type is not kept: the row that refers to it has it."""
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            self._move(temporary, self._root / key)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def remove(self, key: str) -> None:
        """Remove a file, and the folders that are then empty."""
        path = self._root / key
        try:
            path.unlink()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return
        folder = path.parent
        while folder != self._root and _removed(folder):
            folder = folder.parent
        _sync(folder)

    def keys(self, prefix: str) -> Generator[str, None, None]:
        """The keys that begin with `prefix`, as the folders are read: none is held longer than that."""
        return self._walk(prefix.rpartition("/")[0], prefix)

    def _walk(self, folder: str, prefix: str) -> Generator[str, None, None]:
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
                    yield key

    def _move(self, temporary: Path, target: Path) -> None:
        for attempt in range(MOVE_ATTEMPTS):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(target)
                break
            except (FileNotFoundError, FileExistsError):  # a `remove` found the folder empty in between
                if attempt == MOVE_ATTEMPTS - 1:
                    raise
        folder = target.parent
        while folder != self._root.parent:  # any of them may be new
            _sync(folder)
            folder = folder.parent

    def _remove_leftovers(self) -> None:
        now = time.time()
        if now < self._next_cleaning:
            return
        self._next_cleaning = now + LEFTOVER_AGE_S
        for leftover in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if leftover.stat().st_mtime < now - LEFTOVER_AGE_S:
                    leftover.unlink()


def _removed(folder: Path) -> bool:
    """Remove a folder if it is empty; whether it was."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _sync(folder: Path) -> None:
    """Make sure that the entries of a folder are on the disk."""
    if sys.platform == "win32":
        return  # it has no such call
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return  # removed since, and with it all that was in it
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
