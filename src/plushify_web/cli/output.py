"""Output file of a command: made before the work begins, and complete or unchanged when it ends."""

import os
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

RESERVED_BYTES = 2048 * 2048 * 4
"""Space that is reserved for a picture: the size of 2048 × 2048 px without compression."""


class OutputFile:
    """File that a command writes at its end.

    Entering the context creates a temporary file of `RESERVED_BYTES` beside the target, which fails if the folder is
    read-only or the disk is full. `write` replaces the target atomically. A target that is no regular file, such as a
    pipe or a device, is written directly.

    Args:
        path: the target.

    Raises:
        InvalidInput: on entering the context: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary: Path | None = None

    def __enter__(self) -> Self:
        from plushify_core import InvalidInput

        try:
            self._reserve()
        except (FileNotFoundError, NotADirectoryError):
            message = f"There is no folder {self.path.parent} that a picture could be put in."
            raise InvalidInput(message=message) from None
        except OSError as error:
            raise InvalidInput(
                message=f"{self.path} cannot be written: {error.strerror}. Nothing was charged."
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def _reserve(self) -> None:
        if self.path.exists() and not self.path.is_file():
            return
        self._target = Path(os.path.realpath(self.path))  # a symbolic link stays, and its target is replaced
        descriptor, name = tempfile.mkstemp(dir=self._target.parent, prefix=".plushify-", suffix=".part")
        self._temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(bytes(RESERVED_BYTES))
                file.flush()
                os.fsync(descriptor)
            self._temporary.chmod(_mode(self._target))
        except BaseException:
            self._temporary.unlink()
            raise

    def write(self, data: bytes) -> None:
        """Write the whole file.

        Raises:
            OSError: it cannot be written. The target is unchanged.
        """
        if self._temporary is None:
            self.path.write_bytes(data)
            return
        with self._temporary.open("r+b") as file:  # into the reserved space
            file.write(data)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        self._temporary.replace(self._target)


def _mode(target: Path) -> int:
    """Return the permissions of the target, or those of a new file."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
