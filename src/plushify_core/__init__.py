"""Domain of Plushify: turns a photo into a picture of a plushie, and never loses a credit.

`Plushify` is the front door. The package is pure Python on msgspec, and does no I/O: it reaches the outside world only
through its ports.
"""

from plushify_core.domain.catalog import (
    DEFAULT_CATALOG,
    FREE_CREDITS,
    STANDARD_GENERATION_CREDITS,
    Catalog,
    Quality,
    Style,
)
from plushify_core.domain.errors import (
    MESSAGES,
    Code,
    GenerationFailed,
    InsufficientCredits,
    InvalidInput,
    NotFound,
    PlushifyError,
    RateLimited,
    Reason,
    Unauthorized,
)
from plushify_core.domain.generation import Failure, Generation, IllegalTransition, Rendition, Status, StoredImage
from plushify_core.domain.ledger import SYSTEM, EntryKind, LedgerEntry, Subscription
from plushify_core.domain.limits import Limits
from plushify_core.domain.model_call import Billing, ModelCall, ModelFacts, Outcome
from plushify_core.plushify import Plushify
from plushify_core.ports.accounts import Session, User
from plushify_core.ports.ambient import utc_now, uuid7
from plushify_core.ports.blobs import BlobMissing
from plushify_core.ports.model import ModelError
from plushify_core.use_cases.audit import AuditUseCase, Disagreement, Finding, Removal, TooManyOrphans
from plushify_core.use_cases.costs import CostsUseCase
from plushify_core.use_cases.credits import CreditsUseCase, Posted, Statement
from plushify_core.use_cases.gallery import GalleryPage, GalleryUseCase
from plushify_core.use_cases.generate import GenerateUseCase
from plushify_core.use_cases.installation import InstallationUseCase, WrongStorage
from plushify_core.use_cases.recover import RecoverUseCase, Swept
from plushify_core.worker import Runner, Sweeper

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
    "InstallationUseCase",
    "InsufficientCredits",
    "InvalidInput",
    "LedgerEntry",
    "Limits",
    "ModelCall",
    "ModelError",
    "ModelFacts",
    "NotFound",
    "Outcome",
    "Plushify",
    "PlushifyError",
    "Posted",
    "Quality",
    "RateLimited",
    "Reason",
    "RecoverUseCase",
    "Removal",
    "Rendition",
    "Runner",
    "Session",
    "Statement",
    "Status",
    "StoredImage",
    "Style",
    "Subscription",
    "Sweeper",
    "Swept",
    "TooManyOrphans",
    "Unauthorized",
    "User",
    "WrongStorage",
    "utc_now",
    "uuid7",
]
