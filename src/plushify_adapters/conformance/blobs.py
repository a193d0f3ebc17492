"""What every blob store does."""

import asyncio
from typing import Any, ClassVar
from urllib.request import urlopen

import pytest

from plushify_core.ports import BlobMissing, BlobStore

MEDIA_TYPE = "image/png"
LARGE = bytes(range(256)) * 4096 * 5  # 5 MiB

NO_KEYS = (
    "",
    "/a",
    "a/",
    "a//b",
    "..",
    "../a",
    "a/../b",
    "a/..",
    "./a",
    ".a",
    "a/.b",
    "a b",
    "a\\b",
    "a\x00",
    "ä",
    "a\n",
)


class BlobStoreConformance:
    """The contract of `BlobStore`. A subclass sets `adapter` and supplies `blobs`."""

    adapter: ClassVar[type[BlobStore]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def blobs(self) -> BlobStore:
        """An empty blob store."""
        raise NotImplementedError

    def test_is_the_declared_adapter(self, blobs: BlobStore) -> None:
        """The suite runs on the adapter that it says it runs on."""
        assert type(blobs) is self.adapter

    @pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "tiny", "large"])
    async def test_reads_what_was_put(self, blobs: BlobStore, data: bytes) -> None:
        """A blob comes back as it was put, whatever its size."""
        await blobs.put("a/b/c", data, media_type=MEDIA_TYPE)

        assert await read(blobs, "a/b/c") == data

    async def test_reads_in_chunks(self, blobs: BlobStore) -> None:
        """A large blob is never handed out whole."""
        await blobs.put("large", LARGE, media_type=MEDIA_TYPE)

        sizes = [len(chunk) async for chunk in blobs.read("large")]

        assert sum(sizes) == len(LARGE)
        assert max(sizes) <= len(LARGE) // 4

    async def test_put_replaces(self, blobs: BlobStore) -> None:
        """A second blob under a key takes the place of the first, also a shorter one."""
        await blobs.put("a/b", b"the first", media_type=MEDIA_TYPE)
        await blobs.put("a/b", b"second", media_type=MEDIA_TYPE)

        assert await read(blobs, "a/b") == b"second"

    @pytest.mark.parametrize("key", ["a", "a/b/missing", "a/b/c/d/e"])
    async def test_missing_is_told_at_the_first_step(self, blobs: BlobStore, key: str) -> None:
        """Reading what is not there raises `BlobMissing` before anything is handed out, beside other blobs too."""
        await blobs.put("a/b/c", b"x", media_type=MEDIA_TYPE)

        with pytest.raises(BlobMissing):
            await anext(aiter(blobs.read(key)))

    async def test_a_read_can_be_left(self, blobs: BlobStore) -> None:
        """Who stops reading halfway holds nothing up."""
        await blobs.put("large", LARGE, media_type=MEDIA_TYPE)

        async for _ in blobs.read("large"):
            break
        await blobs.delete("large")

        assert await keys(blobs) == set()

    async def test_delete_removes_one(self, blobs: BlobStore) -> None:
        """A deleted blob is gone from reading and listing; its neighbours stay."""
        await put_all(blobs, "a/b/1", "a/b/2", "a/c")

        await blobs.delete("a/b/1")

        assert await keys(blobs) == {"a/b/2", "a/c"}
        with pytest.raises(BlobMissing):
            await read(blobs, "a/b/1")

    @pytest.mark.parametrize("key", ["a/b", "a/b/c/d", "never/was/there"])
    async def test_delete_of_nothing(self, blobs: BlobStore, key: str) -> None:
        """Deleting what is not there is no error and removes nothing else."""
        await blobs.put("a/b/c", b"x", media_type=MEDIA_TYPE)

        await blobs.delete(key)
        await blobs.delete(key)

        assert await keys(blobs) == {"a/b/c"}

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("", {"a/1", "a/2", "ab/1", "b/a/1", "b/a/1.part", "top"}),
            ("a", {"a/1", "a/2", "ab/1"}),
            ("a/", {"a/1", "a/2"}),
            ("a/1", {"a/1"}),
            ("b/a/1", {"b/a/1", "b/a/1.part"}),
            ("b/", {"b/a/1", "b/a/1.part"}),
            ("t", {"top"}),
            ("c/", set()),
            ("top/", set()),
        ],
    )
    async def test_keys_by_prefix(self, blobs: BlobStore, prefix: str, expected: set[str]) -> None:
        """A prefix is one of characters, not of folders; what it fits is listed once."""
        await put_all(blobs, "a/1", "a/2", "ab/1", "b/a/1", "b/a/1.part", "top")

        found = [key async for key in blobs.keys(prefix)]

        assert sorted(found) == sorted(expected)

    async def test_keys_of_an_empty_store(self, blobs: BlobStore) -> None:
        """A store in which nothing was ever put lists nothing."""
        assert await keys(blobs) == set()

    @pytest.mark.parametrize("key", NO_KEYS)
    async def test_refuses_what_is_no_key(self, blobs: BlobStore, key: str) -> None:
        """Everything but the documented characters is refused, above all the way out of the store."""
        with pytest.raises(ValueError, match="key"):
            await blobs.put(key, b"x", media_type=MEDIA_TYPE)
        with pytest.raises(ValueError, match="key"):
            await read(blobs, key)
        with pytest.raises(ValueError, match="key"):
            await blobs.delete(key)
        with pytest.raises(ValueError, match="key"):
            await blobs.url(key, expires_s=60)

        assert await keys(blobs) == set()

    async def test_readers_see_all_or_nothing(self, blobs: BlobStore) -> None:
        """While a blob is replaced, every reader gets the whole of one version, or is told to come again."""
        versions = [bytes([number]) * 100_000 for number in range(8)]
        await blobs.put("a", versions[0], media_type=MEDIA_TYPE)

        async def write() -> None:
            for version in versions:
                await blobs.put("a", version, media_type=MEDIA_TYPE)

        async def look() -> bytes | None:
            try:
                return await read(blobs, "a")
            except BlobMissing:
                raise
            except Exception:
                return None  # not now, says the technology: that is nothing

        async def look_often() -> list[bytes | None]:
            return [await look() for _ in range(20)]

        seen, _ = await asyncio.gather(look_often(), write())

        assert [data for data in seen if data not in (*versions, None)] == []
        assert await read(blobs, "a") == versions[-1]

    async def test_puts_beside_deletes(self, blobs: BlobStore) -> None:
        """A folder that empties under a `put` does not make it fail."""

        async def come_and_go(key: str) -> None:
            for _ in range(10):
                await blobs.put(key, b"x", media_type=MEDIA_TYPE)
                await blobs.delete(key)
            await blobs.put(key, b"x", media_type=MEDIA_TYPE)

        names = [f"a/b/{number}" for number in range(8)]
        await asyncio.gather(*map(come_and_go, names))

        assert await keys(blobs) == set(names)

    async def test_a_cancelled_put_writes_nothing_later(self, blobs: BlobStore) -> None:
        """Once a cancelled `put` has ended, what it was about to write does not appear any more."""
        for steps in range(20):
            task = asyncio.create_task(blobs.put("a", LARGE, media_type=MEDIA_TYPE))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            await blobs.delete("a")
        await blobs.put("b", LARGE, media_type=MEDIA_TYPE)  # as long as one of them would have taken

        assert await keys(blobs) == {"b"}

    async def test_url_serves_the_blob(self, blobs: BlobStore) -> None:
        """A store that signs an address serves the blob there, as a download of the given name; another has none."""
        await blobs.put("a/b", b"picture", media_type=MEDIA_TYPE)

        url = await blobs.url("a/b", expires_s=60, download_name="my plüshie.png")

        if url is not None:
            body, headers = await asyncio.to_thread(fetch, url)
            assert body == b"picture"
            assert headers["content-type"] == MEDIA_TYPE
            assert headers["content-disposition"] == "attachment; filename*=UTF-8''my%20pl%C3%BCshie.png"


async def read(blobs: BlobStore, key: str) -> bytes:
    """All of a blob."""
    return b"".join([chunk async for chunk in blobs.read(key)])


async def keys(blobs: BlobStore) -> set[str]:
    """All keys."""
    return {key async for key in blobs.keys("")}


async def put_all(blobs: BlobStore, *names: str) -> None:
    """Put a blob under each of the keys."""
    for name in names:
        await blobs.put(name, name.encode(), media_type=MEDIA_TYPE)


def fetch(url: str) -> tuple[bytes, dict[str, str]]:
    """What a URL serves."""
    with urlopen(url) as response:  # noqa: S310 - the store under test made it
        return response.read(), {name.lower(): value for name, value in response.headers.items()}
