"""Plushify's domain: turns a photo into a picture of a plushie, and never loses a credit.

Pure Python on msgspec, without any I/O: what it needs of the world it asks of the ports.
"""

from plushify_core.audit import AuditUseCase, Disagreement, Finding
from plushify_core.bookkeeping import SYSTEM
from plushify_core.catalog import (
    DEFAULT_CATALOG,
    FREE_CREDITS,
    STANDARD_GENERATION_CREDITS,
    Catalog,
    Quality,
    Style,
)
from plushify_core.costs import CostsUseCase
from plushify_core.credits import CreditsUseCase, Statement
from plushify_core.errors import (
    MESSAGES,
    BlobMissing,
    Code,
    GenerationFailed,
    InsufficientCredits,
    InvalidInput,
    ModelError,
    NotFound,
    PlushifyError,
    RateLimited,
    Reason,
    Unauthorized,
)
from plushify_core.gallery import GalleryPage, GalleryUseCase, Rendition
from plushify_core.generate import GenerateUseCase
from plushify_core.generation import Failure, Generation, IllegalTransition, Status, StoredImage
from plushify_core.ledger import EntryKind, LedgerEntry, Subscription
from plushify_core.limits import Limits
from plushify_core.model_call import Billing, ModelCall, ModelFacts, Outcome
from plushify_core.recover import RecoverUseCase, Swept
from plushify_core.users import Session, User

__all__ = [
    "DEFAULT_CATALOG",
    "FREE_CREDITS",
    "MESSAGES",
    "STANDARD_GENERATION_CREDITS",
    "SYSTEM",
    "AuditUseCase",
    "Billing",
    "BlobMissing",
    "Catalog",
    "Code",
    "CostsUseCase",
    "CreditsUseCase",
    "Disagreement",
    "EntryKind",
    "Failure",
    "Finding",
    "GalleryPage",
    "GalleryUseCase",
    "GenerateUseCase",
    "Generation",
    "GenerationFailed",
    "IllegalTransition",
    "InsufficientCredits",
    "InvalidInput",
    "LedgerEntry",
    "Limits",
    "ModelCall",
    "ModelError",
    "ModelFacts",
    "NotFound",
    "Outcome",
    "PlushifyError",
    "Quality",
    "RateLimited",
    "Reason",
    "RecoverUseCase",
    "Rendition",
    "Session",
    "Statement",
    "Status",
    "StoredImage",
    "Style",
    "Subscription",
    "Swept",
    "Unauthorized",
    "User",
]
