"""What a local folder adds to the contract: durable, tidy, and safe beside other threads."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest

from plushify_adapters.blobs import FsspecBlobStore, folder, store
from plushify_adapters.conformance.blobs import keys, read
from plushify_core.ports import BlobMissing

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder, which nobody has made yet."""
    return tmp_path / "data" / "blobs"


@pytest.fixture
def blobs(root: Path) -> FsspecBlobStore:
    """A store in it."""
    return FsspecBlobStore(str(root))


async def put(blobs: FsspecBlobStore, key: str, data: bytes = b"x") -> None:
    """Store something."""
    await blobs.put(key, data, media_type="image/png")


def files(root: Path) -> list[str]:
    """Everything in the folder but the place for what comes in."""
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.name != folder.INCOMING)


@pytest.mark.parametrize("scheme", ["", "file://"])
async def test_a_path_and_a_file_url_are_the_same_place(root: Path, scheme: str) -> None:
    """A key is the path of a file below the folder, whichever way the folder is named."""
    await put(FsspecBlobStore(f"{scheme}{root}"), "a/b", b"data")

    assert (root / "a/b").read_bytes() == b"data"


async def test_what_is_stored_is_on_the_disk(
    root: Path, blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are synced before the file takes its place, and then every folder that may be new."""
    steps: list[str] = []

    def recorded(name: str, function: Callable[..., Any], target: Callable[..., str]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            steps.append(f"{name} {target(*args)}")
            return function(*args)

        return call

    def kind(descriptor: int) -> str:
        (path,) = (path for path in (root, *root.rglob("*")) if path.stat().st_ino == os.fstat(descriptor).st_ino)
        return "bytes" if path.is_file() else str(path.relative_to(root.parent))

    monkeypatch.setattr(os, "fsync", recorded("sync", os.fsync, kind))
    monkeypatch.setattr(Path, "replace", recorded("move to", Path.replace, lambda _, to: str(to.relative_to(root))))

    await put(blobs, "a/b/c")

    assert steps == ["sync bytes", "move to a/b/c", "sync blobs/a/b", "sync blobs/a", "sync blobs"]


async def test_deleting_the_last_blob_removes_its_folders(root: Path, blobs: FsspecBlobStore) -> None:
    """Folders go with the last blob in them; those that hold another stay, and so does the root."""
    await put(blobs, "a/b/1")
    await put(blobs, "a/2")

    await blobs.delete("a/b/1")
    assert files(root) == ["a", "a/2"]

    await blobs.delete("a/2")
    assert files(root) == []
    assert files(root.parent) == ["blobs"]


async def test_a_folder_is_no_blob(root: Path, blobs: FsspecBlobStore) -> None:
    """The folder of a blob can be neither read nor deleted as one, nor can what would be below a blob."""
    await put(blobs, "a/b")

    for key in ("a", "a/b/c"):
        with pytest.raises(BlobMissing):
            await read(blobs, key)
        await blobs.delete(key)

    assert files(root) == ["a", "a/b"]


async def test_a_failed_put_leaves_nothing(root: Path, blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, the error comes out, the old blob stands, and no temporary file stays behind."""
    await put(blobs, "a", b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        await put(blobs, "a", b"new")

    assert await read(blobs, "a") == b"old"
    assert list((root / folder.INCOMING).iterdir()) == []


async def test_leftovers_are_invisible_and_cleaned_up(root: Path, blobs: FsspecBlobStore) -> None:
    """What a crashed process had begun to write is never listed; an old one is removed, one in use is not."""
    incoming = root / folder.INCOMING
    incoming.mkdir(parents=True)
    (incoming / "old").write_bytes(b"half a pho")
    (incoming / "new").write_bytes(b"half a pho")
    long_ago = (incoming / "new").stat().st_mtime - 2 * folder.LEFTOVER_AGE_S
    os.utime(incoming / "old", (long_ago, long_ago))

    assert await keys(blobs) == set()
    await put(blobs, "a")

    assert await keys(blobs) == {"a"}
    assert [path.name for path in incoming.iterdir()] == ["new"]


async def test_what_is_no_blob_is_not_listed(root: Path, blobs: FsspecBlobStore, tmp_path: Path) -> None:
    """Files that others put into the folder are not taken for blobs, and links are not followed."""
    await put(blobs, "a/b")
    (root / ".DS_Store").touch()
    (root / "a" / "with space").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").touch()
    (root / "link").symlink_to(tmp_path / "elsewhere")

    assert await keys(blobs) == {"a/b"}


async def test_keys_come_in_steps(blobs: FsspecBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing hands on keys while folders are still unread, and can be left at any time."""
    monkeypatch.setattr(store, "KEYS_PER_STEP", 2)
    for number in range(9):
        (root / str(number)).mkdir(parents=True)
        (root / str(number) / "blob").touch()
    read_folders: list[str] = []
    scandir = os.scandir

    def recorded(path: Path) -> Any:
        read_folders.append(path.name)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", recorded)

    listing = blobs.keys("")
    first = await anext(aiter(listing))
    assert len(read_folders) == 3  # the root, and those of the first step

    assert sorted([first] + [key async for key in listing]) == [f"{number}/blob" for number in range(9)]


async def test_a_short_listing_is_one_step_in_a_thread(blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever lists the few blobs of each of a million generations changes threads once for each."""
    await put(blobs, "a/1")
    await put(blobs, "a/2")
    steps: list[object] = []
    submit = ThreadPoolExecutor.submit

    def recorded(*arguments: Any) -> Any:
        steps.append(arguments)
        return submit(*arguments)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", recorded)

    assert await keys(blobs) == {"a/1", "a/2"}
    assert len(steps) == 1


async def test_a_listing_that_is_left_is_closed_in_a_thread(
    blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stops listing halfway leaves no folder open, and does not wait for the disk on the event loop."""
    monkeypatch.setattr(store, "KEYS_PER_STEP", 1)
    for key in ("1", "2", "3"):
        await put(blobs, key)
    closed_in: list[str] = []
    listed = folder.Folder.keys

    def recorded(objects: folder.Folder, prefix: str) -> Iterator[str]:
        try:
            yield from listed(objects, prefix)
        finally:
            closed_in.append(threading.current_thread().name)

    monkeypatch.setattr(folder.Folder, "keys", recorded)

    async with aclosing(cast("AsyncGenerator[str, None]", blobs.keys(""))) as listing:
        await anext(listing)
        assert closed_in == []

    (thread,) = closed_in
    assert thread.startswith("plushify-blobs")


async def test_a_cancelled_put_ends_when_its_thread_has(
    blobs: FsspecBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancellation waits for the thread that writes: afterwards, nothing is written any more."""
    writing, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def held(descriptor: int) -> None:
        writing.set()
        go_on.wait()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", held)
    task = asyncio.create_task(put(blobs, "a"))
    await asyncio.to_thread(writing.wait)

    task.cancel()
    await asyncio.sleep(0)
    assert not task.done()

    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(blobs) == {"a"}


async def test_a_put_that_never_began_never_does(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled `put` that still waits for a thread ends at once, and leaves its place in the line."""
    blobs = FsspecBlobStore(str(root), max_threads=1)
    writing, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def held(descriptor: int) -> None:
        writing.set()
        go_on.wait()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", held)
    first = asyncio.create_task(put(blobs, "first"))
    await asyncio.to_thread(writing.wait)
    second = asyncio.create_task(put(blobs, "second"))
    await asyncio.sleep(0)

    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    go_on.set()
    await first

    assert await keys(blobs) == {"first"}


async def test_a_folder_that_vanishes_under_a_put_is_made_again(
    blobs: FsspecBlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a `delete` removes the empty folder just before the file is moved there, the move is tried again."""
    replace = Path.replace
    vanishings = 3

    def unlucky(path: Path, target: Path) -> Path:
        nonlocal vanishings
        if vanishings:
            vanishings -= 1
            target.parent.rmdir()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", unlucky)

    await put(blobs, "a/b", b"data")

    assert await read(blobs, "a/b") == b"data"
    assert vanishings == 0


async def test_has_no_urls(blobs: FsspecBlobStore) -> None:
    """Nobody serves a local folder but the application itself."""
    await put(blobs, "a")

    assert await blobs.url("a", expires_s=60) is None
