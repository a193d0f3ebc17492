"""In-memory adapters of all ports, for the tests of this project and of services that embed `plushify_core`."""

from plushify_adapters.memory._accounts import MemoryAccountStore
from plushify_adapters.memory._blobs import MemoryBlobStore
from plushify_adapters.memory._codec import MemoryImageCodec
from plushify_adapters.memory._events import MemoryEvents
from plushify_adapters.memory._model import MemoryImageModel
from plushify_adapters.memory._store import MemoryStore

__all__ = [
    "MemoryAccountStore",
    "MemoryBlobStore",
    "MemoryEvents",
    "MemoryImageCodec",
    "MemoryImageModel",
    "MemoryStore",
]
