"""File system for fsspec that hangs on request. `PYTHONPATH` must name its folder, where fsspec finds its entry point.

The file that the environment variable `HANGING_STORAGE` names lists the operations that hang as long as it lists them:
`pipe_file`, `open`, `rm_file` and `find`.
"""

import os
import time
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem


class HangingFileSystem(AbstractFileSystem):
    """Local files behind `hanging://`, whose operations hang while the control file lists them."""

    protocol = "hanging"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._local = LocalFileSystem(auto_mkdir=True)
        self._control = Path(os.environ["HANGING_STORAGE"])

    def pipe_file(self, path: str, value: bytes, **options: Any) -> Any:
        """Write a file."""
        self._hang("pipe_file")
        return self._local.pipe_file(path, value, **options)

    def open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        """Open a file."""
        self._hang("open")
        return self._local.open(path, mode)

    def rm_file(self, path: str) -> None:
        """Remove a file."""
        self._hang("rm_file")
        self._local.rm_file(path)

    def find(self, path: str, **options: Any) -> Any:
        """List the files of a folder."""
        self._hang("find")
        return self._local.find(path, **options)

    def info(self, path: str, **options: Any) -> Any:
        """Describe a file."""
        return self._local.info(path, **options)

    def _hang(self, operation: str) -> None:
        while self._control.exists() and operation in self._control.read_text("ascii").split():
            time.sleep(0.05)
