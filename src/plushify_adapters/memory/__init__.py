"""Every port in memory: for tests, of this project and of any service that imports `plushify_core`."""

from plushify_adapters.memory.accounts import MemoryAccountStore
from plushify_adapters.memory.blobs import MemoryBlobStore
from plushify_adapters.memory.codec import MemoryImageCodec
from plushify_adapters.memory.events import MemoryEvents
from plushify_adapters.memory.model import MemoryImageModel
from plushify_adapters.memory.store import MemoryStore

__all__ = [
    "MemoryAccountStore",
    "MemoryBlobStore",
    "MemoryEvents",
    "MemoryImageCodec",
    "MemoryImageModel",
    "MemoryStore",
]
