"""An S3 bucket is listed one page at a time, and may be shared with other programs."""

import uuid
from typing import Any

import pytest
import s3fs

from plushify_adapters.blobs import FsspecBlobStore, _bucket, _store
from plushify_adapters.conformance.blobs import keys, put_all
from tests.adapters.blobs.seaweed import S3Server

pytestmark = pytest.mark.anyio


async def test_lists_one_page_at_a_time(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are returned before the next page is requested, and no key is lost between two pages."""
    monkeypatch.setattr(_bucket, "KEYS_PER_PAGE", 2)
    monkeypatch.setattr(_store, "KEYS_PER_STEP", 2)
    blobs = FsspecBlobStore(f"s3://bucket/{uuid.uuid4()}", options=s3.options)
    await put_all(blobs, *(f"a/{number}" for number in range(5)))
    requests: list[str] = []
    call_s3 = s3fs.S3FileSystem.call_s3

    def record(fs: s3fs.S3FileSystem, method: str, **arguments: Any) -> Any:
        requests.append(method)
        return call_s3(fs, method, **arguments)

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", record)

    listing = aiter(blobs.keys("a/"))
    first = await anext(listing)
    assert requests == ["list_objects_v2"]

    assert [first] + [key async for key in listing] == [f"a/{number}" for number in range(5)]
    assert requests == ["list_objects_v2"] * 3


async def test_uses_a_whole_bucket(s3: S3Server) -> None:
    """A URL without a prefix uses the whole bucket."""
    s3fs.S3FileSystem(**s3.options).mkdir(name := f"bucket-{uuid.uuid4()}")
    blobs = FsspecBlobStore(f"s3://{name}", options=s3.options)
    await put_all(blobs, "a/1", "b")

    assert await keys(blobs) == {"a/1", "b"}
    assert [key async for key in blobs.keys("a")] == ["a/1"]


async def test_lists_no_objects_of_other_programs(s3: S3Server) -> None:
    """A listing leaves out names that are no keys, and objects under another prefix, even one that begins alike."""
    name = f"bucket/{uuid.uuid4()}"
    blobs, neighbour = (FsspecBlobStore(f"s3://{path}", options=s3.options) for path in (name, f"{name}-old"))
    await put_all(blobs, "a")
    await put_all(neighbour, "b")
    s3fs.S3FileSystem(**s3.options).pipe_file(f"{name}/no key", b"x")

    assert await keys(blobs) == {"a"}
