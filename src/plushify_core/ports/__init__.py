"""What the domain asks of the world, as Protocols. The docstrings are the contract.

`plushify_adapters.conformance` holds a suite of tests per port. An adapter that passes it can be trusted with
credits; one that does not, cannot.
"""

from plushify_core.ports.ambient import Clock, NewId
from plushify_core.ports.audit import Audit, Imbalance
from plushify_core.ports.blobs import BlobStore, check_key
from plushify_core.ports.calls import CostLine, ModelCalls
from plushify_core.ports.codec import ImageCodec, Photo, Picture
from plushify_core.ports.events import BalanceChanged, Event, Events, GenerationChanged, changes_of
from plushify_core.ports.model import Capabilities, ImageModel, ModelRequest, ModelResult
from plushify_core.ports.store import Credits, GalleryFilter, Generations, Sort, Store, Transaction, Users

__all__ = [
    "Audit",
    "BalanceChanged",
    "BlobStore",
    "Capabilities",
    "Clock",
    "CostLine",
    "Credits",
    "Event",
    "Events",
    "GalleryFilter",
    "GenerationChanged",
    "Generations",
    "ImageCodec",
    "ImageModel",
    "Imbalance",
    "ModelCalls",
    "ModelRequest",
    "ModelResult",
    "NewId",
    "Photo",
    "Picture",
    "Sort",
    "Store",
    "Transaction",
    "Users",
    "changes_of",
    "check_key",
]
