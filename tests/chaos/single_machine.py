"""Site with SQLite and a folder, on a disk that fills up.

The disk is a small tmpfs if this process may mount one. Otherwise the size of files of the replicas is limited to 0
bytes (`RLIMIT_FSIZE`), so that every write fails with EFBIG instead of the ENOSPC of a full disk.
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
    """Provide the disk and the image model, without replicas, until the block ends. Arguments are as in `cluster`."""
    with small_disk() as (disk, mounted), openrouter_emulator(keep=keep) as model:
        site = Site(
            f"SQLite and a folder on {'a small disk' if mounted else 'a disk with a file size limit'}",
            folder,
            model,
            database_url=f"sqlite+aiosqlite:///{disk / 'plushify.db'}",
            storage_url=(disk / "blobs").as_uri(),
            storage_options={},
            free_credits=free_credits,
        )

        async def fill_disk(lasts_s: float) -> None:
            undo = _fill(disk) if mounted else _forbid_writes(site)
            await asyncio.sleep(lasts_s)
            undo()

        site.fault_injectors = {Kind.DISK_FULL: fill_disk}
        yield site


@contextmanager
def small_disk() -> Iterator[tuple[Path, bool]]:
    """Provide a folder, and tell whether it is on a small disk of its own, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="plushify-disk-") as folder:
        mounted = _succeeds("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", folder)
        try:
            yield Path(folder), mounted
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", folder], check=True)


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _fill(disk: Path) -> Callable[[], None]:
    """Fill the disk to the last byte. Return a function that frees it again."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for chunk in BALLAST_CHUNKS:
            with suppress(OSError):
                while file.write(bytes(chunk)) == chunk:
                    pass
    return ballast.unlink


def _forbid_writes(site: Site) -> Callable[[], None]:
    """Make every write of the replicas fail. Return a function that allows writes again."""

    def limit(file_bytes: int) -> None:
        for replica in site.replicas:
            for pid in replica.pids if replica.up.is_set() else ():
                with suppress(ProcessLookupError, FileNotFoundError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))

    limit(0)
    return lambda: limit(resource.RLIM_INFINITY)
