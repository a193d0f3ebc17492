"""The contract of every port as a suite of tests, for whoever writes an adapter.

A suite is a class. Subclass it in your tests, set `adapter`, and supply its fixtures:

    class TestMyBlobStore(BlobStoreConformance):
        adapter = MyBlobStore

        @pytest.fixture
        def blobs(self, tmp_path):
            return MyBlobStore(tmp_path)

The suites need pytest, and anyio (whose pytest plugin runs the asynchronous tests) with this in `conftest.py`:

    @pytest.fixture(scope="session")
    def anyio_backend():
        return "asyncio"
"""

import pytest

# Before the suites are imported, so that a failing assertion shows its values.
pytest.register_assert_rewrite(
    *(f"{__name__}.{suite}" for suite in ("accounts", "blobs", "codec", "events", "model", "store"))
)

from plushify_adapters.conformance.accounts import AccountStoreConformance  # noqa: E402 - rewriting is registered first
from plushify_adapters.conformance.blobs import BlobStoreConformance  # noqa: E402 - rewriting is registered first
from plushify_adapters.conformance.codec import ImageCodecConformance  # noqa: E402 - rewriting is registered first
from plushify_adapters.conformance.events import EventsConformance  # noqa: E402 - rewriting is registered first
from plushify_adapters.conformance.model import ImageModelConformance  # noqa: E402 - rewriting is registered first
from plushify_adapters.conformance.store import StoreConformance  # noqa: E402 - rewriting is registered first

__all__ = [
    "AccountStoreConformance",
    "BlobStoreConformance",
    "EventsConformance",
    "ImageCodecConformance",
    "ImageModelConformance",
    "StoreConformance",
]
