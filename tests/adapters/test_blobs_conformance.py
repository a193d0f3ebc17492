"""Every blob store passes the contract suite of the port."""

import uuid
from pathlib import Path

import pytest

from plushify_adapters.blobs import FsspecBlobStore
from plushify_adapters.conformance import BlobStoreConformance
from plushify_adapters.memory import MemoryBlobStore
from tests.adapters.blobs.seaweed import S3Server


class TestMemoryBlobStore(BlobStoreConformance):
    """The blob store in memory."""

    adapter = MemoryBlobStore


class TestLocalFolder(BlobStoreConformance):
    """The fsspec blob store in a local folder."""

    adapter = FsspecBlobStore

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FsspecBlobStore:
        """Return an empty store."""
        return FsspecBlobStore(str(tmp_path / "blobs"))


class TestS3(BlobStoreConformance):
    """The fsspec blob store in an S3 bucket."""

    adapter = FsspecBlobStore

    @pytest.fixture
    def blobs(self, s3: S3Server) -> FsspecBlobStore:
        """Return an empty store."""
        return FsspecBlobStore(f"s3://bucket/{uuid.uuid4()}", options=s3.options)


class TestAnyOtherFileSystem(BlobStoreConformance):
    """The fsspec blob store on a file system that needs no special treatment."""

    adapter = FsspecBlobStore

    @pytest.fixture
    def blobs(self) -> FsspecBlobStore:
        """Return an empty store."""
        return FsspecBlobStore(f"memory://{uuid.uuid4()}")
