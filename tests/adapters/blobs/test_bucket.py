"""What a bucket adds to the contract: it is listed a page at a time, and may be shared with others."""

import uuid
from typing import Any

import pytest
import s3fs

from plushify_adapters.blobs import FsspecBlobStore, bucket, store
from plushify_adapters.conformance.blobs import keys, put_all
from tests.adapters.blobs.seaweed import S3Server

pytestmark = pytest.mark.anyio


async def test_a_listing_asks_for_a_page_when_it_is_needed(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are handed on while the next page is not yet asked for, and none is lost between two pages."""
    monkeypatch.setattr(bucket, "KEYS_PER_PAGE", 2)
    monkeypatch.setattr(store, "KEYS_PER_STEP", 2)
    blobs = FsspecBlobStore(f"s3://bucket/{uuid.uuid4()}", options=s3.options)
    await put_all(blobs, *(f"a/{number}" for number in range(5)))
    requests: list[str] = []
    call_s3 = s3fs.S3FileSystem.call_s3

    def recorded(fs: s3fs.S3FileSystem, method: str, **arguments: Any) -> Any:
        requests.append(method)
        return call_s3(fs, method, **arguments)

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", recorded)

    listing = aiter(blobs.keys("a/"))
    first = await anext(listing)
    assert requests == ["list_objects_v2"]

    assert [first] + [key async for key in listing] == [f"a/{number}" for number in range(5)]
    assert requests == ["list_objects_v2"] * 3


async def test_a_whole_bucket_can_be_used(s3: S3Server) -> None:
    """Without a prefix of its own, a store has the bucket for itself."""
    s3fs.S3FileSystem(**s3.options).mkdir(name := f"bucket-{uuid.uuid4()}")
    blobs = FsspecBlobStore(f"s3://{name}", options=s3.options)
    await put_all(blobs, "a/1", "b")

    assert await keys(blobs) == {"a/1", "b"}
    assert [key async for key in blobs.keys("a")] == ["a/1"]


async def test_a_neighbour_in_the_bucket_is_not_listed(s3: S3Server) -> None:
    """What lies beside the prefix of a store belongs to another, even if its name begins the same. What has no name
    that a blob can have is none."""
    name = f"bucket/{uuid.uuid4()}"
    blobs, neighbour = (FsspecBlobStore(f"s3://{path}", options=s3.options) for path in (name, f"{name}-old"))
    await put_all(blobs, "a")
    await put_all(neighbour, "b")
    s3fs.S3FileSystem(**s3.options).pipe_file(f"{name}/no key", b"x")

    assert await keys(blobs) == {"a"}
