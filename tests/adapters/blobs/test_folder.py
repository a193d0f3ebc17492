"""A local folder stores blobs durably, removes what is left over, and is safe to use from several threads."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest

from plushify_adapters.blobs import FsspecBlobStore, _folder, _store
from plushify_adapters.blobs._threads import DaemonThreads
from plushify_adapters.conformance.blobs import keys, read
from plushify_core.ports import BlobEntry, BlobMissing

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return the path of a folder that does not exist yet."""
    return tmp_path / "data" / "blobs"


@pytest.fixture
def blobs(root: Path) -> FsspecBlobStore:
    """Return a store in the folder."""
    return FsspecBlobStore(str(root))


class GatedSync:
    """Replacement of `os.fsync` that waits until `open` is set. `reached` is set once a thread waits."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self._fsync = os.fsync

    def __call__(self, descriptor: int) -> None:
        """Sync the file as soon as `open` is set."""
        self.reached.set()
        self.open.wait()
        self._fsync(descriptor)


@pytest.fixture
def gated_sync(monkeypatch: pytest.MonkeyPatch) -> GatedSync:
    """Replace `os.fsync` by a gate, so that a test can act while a file is written."""
    monkeypatch.setattr(os, "fsync", gated_sync := GatedSync())
    return gated_sync


async def put(blobs: FsspecBlobStore, key: str, data: bytes = b"x") -> None:
    """Store a blob."""
    await blobs.put(key, data, media_type="image/png")


def files(root: Path) -> list[str]:
    """Return the relative paths of everything in the folder, except the folder of temporary files."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.name != _folder.INCOMING)


@pytest.mark.parametrize("scheme", ["", "file://"])
async def test_a_path_and_a_file_url_name_the_same_folder(root: Path, scheme: str) -> None:
    """A key is the path of a file relative to the folder, which a path or a URL names."""
    await put(FsspecBlobStore(f"{scheme}{root}"), "a/b", b"data")

    assert (root / "a/b").read_bytes() == b"data"


async def test_syncs_the_file_and_its_folders(
    root: Path, blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are synced before the file is renamed, and every folder that may be new is synced afterwards."""
    steps: list[str] = []

    def record(name: str, function: Callable[..., Any], target: Callable[..., str]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            steps.append(f"{name} {target(*args)}")
            return function(*args)

        return call

    def kind(descriptor: int) -> str:
        (path,) = (path for path in (root, *root.rglob("*")) if path.stat().st_ino == os.fstat(descriptor).st_ino)
        return "bytes" if path.is_file() else str(path.relative_to(root.parent))

    monkeypatch.setattr(os, "fsync", record("sync", os.fsync, kind))
    monkeypatch.setattr(Path, "replace", record("move to", Path.replace, lambda _, to: str(to.relative_to(root))))

    await put(blobs, "a/b/c")

    assert steps == ["sync bytes", "move to a/b/c", "sync blobs/a/b", "sync blobs/a", "sync blobs"]


async def test_removes_empty_folders(root: Path, blobs: FsspecBlobStore) -> None:
    """A folder is removed with its last blob. Folders with other blobs stay, and so does the root."""
    await put(blobs, "a/b/1")
    await put(blobs, "a/2")

    await blobs.delete("a/b/1")
    assert files(root) == ["a", "a/2"]

    await blobs.delete("a/2")
    assert files(root) == []
    assert files(root.parent) == ["blobs"]


async def test_a_folder_is_not_a_blob(root: Path, blobs: FsspecBlobStore) -> None:
    """A key that is the folder of a blob, or lies below a blob, can be neither read nor deleted."""
    await put(blobs, "a/b")

    for key in ("a", "a/b/c"):
        with pytest.raises(BlobMissing):
            await read(blobs, key)
        await blobs.delete(key)

    assert files(root) == ["a", "a/b"]


async def test_a_failed_put_changes_nothing(
    root: Path, blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full, `put` raises the error, keeps the old blob, and leaves no temporary file."""
    await put(blobs, "a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        await put(blobs, "a", b"new")

    assert await read(blobs, "a") == b"old"
    assert list((root / _folder.INCOMING).iterdir()) == []


async def test_removes_old_temporary_files(root: Path, blobs: FsspecBlobStore) -> None:
    """Temporary files are not listed. Those of crashed processes are removed once they are old; newer ones stay."""
    incoming = root / _folder.INCOMING
    incoming.mkdir(parents=True)
    (incoming / "old").write_bytes(b"half a pho")
    (incoming / "new").write_bytes(b"half a pho")
    long_ago = (incoming / "new").stat().st_mtime - 2 * _folder.LEFTOVER_AGE_S
    os.utime(incoming / "old", (long_ago, long_ago))

    assert await keys(blobs) == set()
    await put(blobs, "a")

    assert await keys(blobs) == {"a"}
    assert [path.name for path in incoming.iterdir()] == ["new"]


async def test_lists_no_files_of_other_programs(root: Path, blobs: FsspecBlobStore, tmp_path: Path) -> None:
    """A listing leaves out files whose names are no keys, and does not follow links."""
    await put(blobs, "a/b")
    (root / ".DS_Store").touch()
    (root / "a" / "with space").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").touch()
    (root / "link").symlink_to(tmp_path / "elsewhere")

    assert await keys(blobs) == {"a/b"}


async def test_lists_in_steps(blobs: FsspecBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are returned before all folders have been read."""
    monkeypatch.setattr(_store, "KEYS_PER_STEP", 2)
    for number in range(9):
        (root / str(number)).mkdir(parents=True)
        (root / str(number) / "blob").touch()
    read_folders: list[str] = []
    scandir = os.scandir

    def record(path: Path) -> Any:
        read_folders.append(path.name)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", record)

    listing = blobs.keys("")
    first = await anext(aiter(listing))
    assert len(read_folders) == 3  # the root, and the two folders of the first step

    assert sorted([first] + [key async for key in listing]) == [f"{number}/blob" for number in range(9)]


async def test_a_short_listing_is_one_call_in_a_thread(blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing of a few keys switches to a thread only once, which matters for a million generations."""
    await put(blobs, "a/1")
    await put(blobs, "a/2")
    steps: list[object] = []
    submit = DaemonThreads.submit

    def record(*arguments: Any) -> Any:
        steps.append(arguments)
        return submit(*arguments)

    monkeypatch.setattr(DaemonThreads, "submit", record)

    assert await keys(blobs) == {"a/1", "a/2"}
    assert len(steps) == 1


async def test_closes_an_unfinished_listing_in_a_thread(
    blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing that is closed early closes its open folders, and does not block the event loop."""
    monkeypatch.setattr(_store, "KEYS_PER_STEP", 1)
    for key in ("1", "2", "3"):
        await put(blobs, key)
    closed_in: list[str] = []
    listed = _folder.Folder.entries

    def record(objects: _folder.Folder, prefix: str) -> Iterator[BlobEntry]:
        try:
            yield from listed(objects, prefix)
        finally:
            closed_in.append(threading.current_thread().name)

    monkeypatch.setattr(_folder.Folder, "entries", record)

    async with aclosing(cast("AsyncGenerator[str, None]", blobs.keys(""))) as listing:
        await anext(listing)
        assert closed_in == []

    (thread,) = closed_in
    assert thread.startswith("plushify-blobs")


async def test_a_cancelled_put_waits_for_its_thread(blobs: FsspecBlobStore, gated_sync: GatedSync) -> None:
    """A cancelled `put` ends only when its thread has ended, so nothing is written afterwards."""
    task = asyncio.create_task(put(blobs, "a"))
    await asyncio.to_thread(gated_sync.reached.wait)

    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()

    gated_sync.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(blobs) == {"a"}


async def test_a_cancelled_put_in_the_queue_never_starts(root: Path, gated_sync: GatedSync) -> None:
    """A `put` that is cancelled while it waits for a thread ends at once, and never writes."""
    blobs = FsspecBlobStore(str(root), max_threads=1)
    first = asyncio.create_task(put(blobs, "first"))
    await asyncio.to_thread(gated_sync.reached.wait)
    second = asyncio.create_task(put(blobs, "second"))
    await asyncio.sleep(0)

    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    gated_sync.open.set()
    await first

    assert await keys(blobs) == {"first"}


async def test_creates_the_folder_again_if_a_delete_removes_it(
    blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a `delete` removes the empty folder just before the file is moved there, the move is tried again."""
    replace = Path.replace
    removals = 3

    def remove_folder_first(path: Path, target: Path) -> Path:
        nonlocal removals
        if removals:
            removals -= 1
            target.parent.rmdir()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", remove_folder_first)

    await put(blobs, "a/b", b"data")

    assert await read(blobs, "a/b") == b"data"
    assert removals == 0


async def test_has_no_signed_urls(blobs: FsspecBlobStore) -> None:
    """A local folder cannot sign URLs."""
    await put(blobs, "a")

    assert await blobs.url("a", expires_s=60) is None
