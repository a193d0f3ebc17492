"""Every blob store keeps the contract."""

from pathlib import Path

import pytest

from plushify_adapters.blobs import FsspecBlobStore
from plushify_adapters.conformance import BlobStoreConformance
from plushify_adapters.memory import MemoryBlobStore


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
