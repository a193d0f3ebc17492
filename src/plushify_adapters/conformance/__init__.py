"""Contract of every port as a suite of tests, for authors of adapters.

A suite is a class. Subclass it in your tests and set `adapter`. Override its fixture if the adapter needs arguments:

    class TestMyBlobStore(BlobStoreConformance):
        adapter = MyBlobStore

        @pytest.fixture
        def blobs(self, tmp_path):
            return MyBlobStore(tmp_path)

The suites need pytest, and anyio, whose pytest plugin runs the asynchronous tests, with this in `conftest.py`:

    @pytest.fixture(scope="session")
    def anyio_backend():
        return "asyncio"
"""

from plushify_adapters.conformance import _assert_rewriting as _assert_rewriting  # before the suites
from plushify_adapters.conformance.accounts import AccountStoreConformance
from plushify_adapters.conformance.blobs import BlobStoreConformance
from plushify_adapters.conformance.codec import ImageCodecConformance
from plushify_adapters.conformance.events import EventsConformance
from plushify_adapters.conformance.model import ImageModelConformance
from plushify_adapters.conformance.store import StoreConformance

__all__ = [
    "AccountStoreConformance",
    "BlobStoreConformance",
    "EventsConformance",
    "ImageCodecConformance",
    "ImageModelConformance",
    "StoreConformance",
]
