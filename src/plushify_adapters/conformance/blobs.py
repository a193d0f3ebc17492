"""Contract of every blob store."""

import asyncio
from typing import Any, ClassVar
from urllib.request import urlopen

import pytest

from plushify_core.ports import BlobMissing, BlobStore

MEDIA_TYPE = "image/png"
LARGE = bytes(range(256)) * 4096 * 5  # 5 MiB

INVALID_KEYS = (
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
    """Contract of `BlobStore`. A subclass sets `adapter`. It overrides `blobs` if the adapter needs arguments."""

    adapter: ClassVar[type[BlobStore]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def blobs(self) -> BlobStore:
        """Return an empty blob store."""
        return self.adapter()

    async def test_is_the_declared_adapter(self, blobs: BlobStore) -> None:
        """The suite runs on the adapter that it declares."""
        assert type(blobs) is self.adapter

    @pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "tiny", "large"])
    async def test_reads_the_stored_bytes(self, blobs: BlobStore, data: bytes) -> None:
        """`read` returns the bytes that `put` stored, for any size."""
        await blobs.put("a/b/c", data, media_type=MEDIA_TYPE)

        assert await read(blobs, "a/b/c") == data

    async def test_reads_in_chunks(self, blobs: BlobStore) -> None:
        """`read` returns a large blob in several chunks."""
        await blobs.put("large", LARGE, media_type=MEDIA_TYPE)

        sizes = [len(chunk) async for chunk in blobs.read("large")]

        assert sum(sizes) == len(LARGE)
        assert max(sizes) <= len(LARGE) // 4

    async def test_put_replaces_an_existing_blob(self, blobs: BlobStore) -> None:
        """A second `put` under a key replaces the blob, even if the new bytes are fewer."""
        await blobs.put("a/b", b"the first", media_type=MEDIA_TYPE)
        await blobs.put("a/b", b"second", media_type=MEDIA_TYPE)

        assert await read(blobs, "a/b") == b"second"

    @pytest.mark.parametrize("key", ["a", "a/b/missing", "a/b/c/d/e"])
    async def test_read_of_a_missing_blob_raises_at_the_first_step(self, blobs: BlobStore, key: str) -> None:
        """`read` raises `BlobMissing` before the first chunk, even if the key is the folder of a blob or below one."""
        await blobs.put("a/b/c", b"x", media_type=MEDIA_TYPE)

        with pytest.raises(BlobMissing):
            await anext(aiter(blobs.read(key)))

    async def test_an_unfinished_read_blocks_nothing(self, blobs: BlobStore) -> None:
        """A blob can be deleted after a reader has stopped halfway."""
        await blobs.put("large", LARGE, media_type=MEDIA_TYPE)

        async for _ in blobs.read("large"):
            break
        await blobs.delete("large")

        assert await keys(blobs) == set()

    async def test_delete_removes_one_blob(self, blobs: BlobStore) -> None:
        """A deleted blob can be neither read nor listed. Other blobs stay."""
        await put_all(blobs, "a/b/1", "a/b/2", "a/c")

        await blobs.delete("a/b/1")

        assert await keys(blobs) == {"a/b/2", "a/c"}
        with pytest.raises(BlobMissing):
            await read(blobs, "a/b/1")

    @pytest.mark.parametrize("key", ["a/b", "a/b/c/d", "never/was/there"])
    async def test_delete_of_a_missing_blob_does_nothing(self, blobs: BlobStore, key: str) -> None:
        """`delete` of a missing blob raises nothing and removes no other blob."""
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
    async def test_lists_keys_by_prefix(self, blobs: BlobStore, prefix: str, expected: set[str]) -> None:
        """`keys` compares the prefix by characters, not by folders, and returns each key once."""
        await put_all(blobs, "a/1", "a/2", "ab/1", "b/a/1", "b/a/1.part", "top")

        found = [key async for key in blobs.keys(prefix)]

        assert sorted(found) == sorted(expected)

    async def test_lists_no_keys_of_an_empty_store(self, blobs: BlobStore) -> None:
        """An empty store has no keys."""
        assert await keys(blobs) == set()

    @pytest.mark.parametrize("key", INVALID_KEYS)
    async def test_refuses_invalid_keys(self, blobs: BlobStore, key: str) -> None:
        """All methods refuse keys of another form than documented, such as keys that leave the store."""
        with pytest.raises(ValueError, match="key"):
            await blobs.put(key, b"x", media_type=MEDIA_TYPE)
        with pytest.raises(ValueError, match="key"):
            await read(blobs, key)
        with pytest.raises(ValueError, match="key"):
            await blobs.delete(key)
        with pytest.raises(ValueError, match="key"):
            await blobs.url(key, expires_s=60)

        assert await keys(blobs) == set()

    async def test_readers_see_a_whole_version_or_none(self, blobs: BlobStore) -> None:
        """While a blob is replaced, each read returns one whole version, or raises that the store is unavailable."""
        versions = [bytes([number]) * 100_000 for number in range(8)]
        await blobs.put("a", versions[0], media_type=MEDIA_TYPE)

        async def write_versions() -> None:
            for version in versions:
                await blobs.put("a", version, media_type=MEDIA_TYPE)

        async def read_or_none() -> bytes | None:
            try:
                return await read(blobs, "a")
            except BlobMissing:
                raise
            except Exception:
                return None  # the store is unavailable, which the contract allows

        async def read_repeatedly() -> list[bytes | None]:
            return [await read_or_none() for _ in range(20)]

        seen, _ = await asyncio.gather(read_repeatedly(), write_versions())

        assert [data for data in seen if data not in (*versions, None)] == []
        assert await read(blobs, "a") == versions[-1]

    async def test_put_is_safe_beside_concurrent_deletes(self, blobs: BlobStore) -> None:
        """`put` succeeds while concurrent deletes empty its folder."""

        async def put_and_delete(key: str) -> None:
            for _ in range(10):
                await blobs.put(key, b"x", media_type=MEDIA_TYPE)
                await blobs.delete(key)
            await blobs.put(key, b"x", media_type=MEDIA_TYPE)

        names = [f"a/b/{number}" for number in range(8)]
        await asyncio.gather(*map(put_and_delete, names))

        assert await keys(blobs) == set(names)

    async def test_a_cancelled_put_writes_nothing_later(self, blobs: BlobStore) -> None:
        """A cancelled `put` writes nothing after it has ended."""
        for steps in range(20):
            task = asyncio.create_task(blobs.put("a", LARGE, media_type=MEDIA_TYPE))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            await blobs.delete("a")
        await blobs.put("b", LARGE, media_type=MEDIA_TYPE)  # gives a late write time to appear

        assert await keys(blobs) == {"b"}

    async def test_a_signed_url_serves_the_blob(self, blobs: BlobStore) -> None:
        """A signed URL serves the blob with its media type and download name. A store that cannot sign returns None."""
        await blobs.put("a/b", b"picture", media_type=MEDIA_TYPE)

        url = await blobs.url("a/b", expires_s=60, download_name="my plüshie.png")

        if url is not None:
            body, headers = await asyncio.to_thread(fetch, url)
            assert body == b"picture"
            assert headers["content-type"] == MEDIA_TYPE
            assert headers["content-disposition"] == "attachment; filename*=UTF-8''my%20pl%C3%BCshie.png"


async def read(blobs: BlobStore, key: str) -> bytes:
    """Return all bytes of a blob."""
    return b"".join([chunk async for chunk in blobs.read(key)])


async def keys(blobs: BlobStore) -> set[str]:
    """Return all keys."""
    return {key async for key in blobs.keys("")}


async def put_all(blobs: BlobStore, *names: str) -> None:
    """Store a blob under each of the keys."""
    for name in names:
        await blobs.put(name, name.encode(), media_type=MEDIA_TYPE)


def fetch(url: str) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers that a URL serves."""
    with urlopen(url) as response:  # noqa: S310 - the URL comes from the store under test
        return response.read(), {name.lower(): value for name, value in response.headers.items()}
