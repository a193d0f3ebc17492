"""Replicas on one machine, over SQLite and a folder, on a disk that fills up.

The disk is a small tmpfs where this process may mount one. Elsewhere the replicas are held to files of no bytes
(`RLIMIT_FSIZE`), so that every write fails with EFBIG where a full disk fails it with ENOSPC.
"""

import asyncio
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.chaos.plan import Kind
from tests.chaos.site import Site
from tests.emulators.process import openrouter_emulator

DISK_BYTES = 192 * 1024 * 1024
BALLAST_CHUNKS = (1024 * 1024, 4096, 1)

KINDS = (Kind.DISK_FULL,)


@contextmanager
def single_machine(folder: Path, *, free_credits: int, keep: int = 10_000) -> Iterator[Site]:
    """The disk and the image model without any replica, until the block ends. Arguments are those of `cluster`."""
    with small_disk() as (disk, mounted), openrouter_emulator(keep=keep) as model:
        site = Site(
            f"SQLite and a folder on {'a small disk' if mounted else 'a disk with a limit'}",
            folder,
            model,
            database_url=f"sqlite+aiosqlite:///{disk / 'plushify.db'}",
            storage_url=(disk / "blobs").as_uri(),
            storage_options={},
            free_credits=free_credits,
        )

        async def full(lasts_s: float) -> None:
            undo = _fill(disk) if mounted else _forbid_writes(site)
            await asyncio.sleep(lasts_s)
            undo()

        site.strikes = {Kind.DISK_FULL: full}
        yield site


@contextmanager
def small_disk() -> Iterator[tuple[Path, bool]]:
    """A folder on a disk of its own, and whether that could be had."""
    with tempfile.TemporaryDirectory(prefix="plushify-disk-") as folder:
        mounted = _quietly("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", folder)
        try:
            yield Path(folder), mounted
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", folder], check=True)


def _quietly(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _fill(disk: Path) -> Callable[[], None]:
    """Leave not a byte; returns what makes room again."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for chunk in BALLAST_CHUNKS:
            with suppress(OSError):
                while file.write(bytes(chunk)) == chunk:
                    pass
    return ballast.unlink


def _forbid_writes(site: Site) -> Callable[[], None]:
    def limit(file_bytes: int) -> None:
        for replica in site.replicas:
            for pid in replica.pids if replica.up.is_set() else ():
                with suppress(ProcessLookupError, FileNotFoundError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))

    limit(0)
    return lambda: limit(resource.RLIM_INFINITY)
