"""Ports: interfaces to the outside world, as Protocols whose docstrings are the contract.

`plushify_adapters.conformance` has a test suite for each port. Every adapter must pass the suite of its port.
"""

from plushify_core.ports.accounts import AccountStore, Session, User
from plushify_core.ports.ambient import Clock, NewId, utc_now, uuid7
from plushify_core.ports.audit import Audit, Imbalance
from plushify_core.ports.blobs import BlobEntry, BlobMissing, BlobStore, validate_key
from plushify_core.ports.calls import CostLine, ModelCalls
from plushify_core.ports.codec import EncodedImage, ImageCodec, Picture
from plushify_core.ports.events import BalanceChanged, Event, Events, GenerationChanged, changes_of
from plushify_core.ports.installation import Installation, Installations
from plushify_core.ports.model import (
    Capabilities,
    ImageModel,
    Level,
    ModelError,
    ModelRequest,
    ModelResult,
    Notice,
    SelfCheck,
)
from plushify_core.ports.store import Credits, GalleryFilter, Generations, Sort, Store, Transaction

__all__ = [
    "AccountStore",
    "Audit",
    "BalanceChanged",
    "BlobEntry",
    "BlobMissing",
    "BlobStore",
    "Capabilities",
    "Clock",
    "CostLine",
    "Credits",
    "EncodedImage",
    "Event",
    "Events",
    "GalleryFilter",
    "GenerationChanged",
    "Generations",
    "ImageCodec",
    "ImageModel",
    "Imbalance",
    "Installation",
    "Installations",
    "Level",
    "ModelCalls",
    "ModelError",
    "ModelRequest",
    "ModelResult",
    "NewId",
    "Notice",
    "Picture",
    "SelfCheck",
    "Session",
    "Sort",
    "Store",
    "Transaction",
    "User",
    "changes_of",
    "utc_now",
    "uuid7",
    "validate_key",
]
