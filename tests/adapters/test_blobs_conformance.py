"""Every blob store keeps the contract."""

import uuid
from pathlib import Path

import pytest

from plushify_adapters.blobs import FsspecBlobStore
from plushify_adapters.conformance import BlobStoreConformance
from plushify_adapters.memory import MemoryBlobStore
from tests.adapters.blobs.seaweed import S3Server


class TestMemoryBlobStore(BlobStoreConformance):
    adapter = MemoryBlobStore

    @pytest.fixture
    def blobs(self) -> MemoryBlobStore:
        """An empty one."""
        return MemoryBlobStore()


class TestLocalFolder(BlobStoreConformance):
    adapter = FsspecBlobStore

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> FsspecBlobStore:
        """An empty one."""
        return FsspecBlobStore(str(tmp_path / "blobs"))


class TestS3(BlobStoreConformance):
    adapter = FsspecBlobStore

    @pytest.fixture
    def blobs(self, s3: S3Server) -> FsspecBlobStore:
        """An empty one."""
        return FsspecBlobStore(f"s3://bucket/{uuid.uuid4()}", options=s3.options)


class TestAnyOtherFileSystem(BlobStoreConformance):
    adapter = FsspecBlobStore

    @pytest.fixture
    def blobs(self) -> FsspecBlobStore:
        """An empty one."""
        return FsspecBlobStore(f"memory://{uuid.uuid4()}")
