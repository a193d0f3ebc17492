"""Bodies of requests and responses, as JSON in camelCase."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

import msgspec

from plushify_core import Code, EntryKind, Failure, Generation, Reason, Status, User


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Body of a response."""

    @classmethod
    def of(cls, source: Any) -> Self:
        """Return a body whose fields are the attributes of `source` with the same names."""
        return msgspec.convert(source, cls, from_attributes=True)


class Credentials(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Email address and password of an account."""

    email: str
    password: str


class UserBody(_Body, frozen=True):
    """User account."""

    id: str
    email: str


class SessionBody(_Body, frozen=True):
    """Session of the client. `user` is null if no user is signed in."""

    user: UserBody | None

    @classmethod
    def of(cls, user: User | None) -> Self:
        """Return the session of this user."""
        return cls(user=UserBody.of(user) if user else None)


class StyleBody(_Body, frozen=True):
    """Style in the catalog."""

    id: str
    name: str
    description: str


class QualityBody(_Body, frozen=True):
    """Quality in the catalog.

    `pixels` is the length of the longest side in px, and `price` is in credits. `reason` is null if the quality is
    available, else a sentence that says why it is not.
    """

    id: str
    name: str
    pixels: int
    credit_multiplier: int
    price: int
    available: bool
    reason: str | None


class LimitsBody(_Body, frozen=True):
    """Limits of an upload, the time limit of a generation, and the undo window of a deletion."""

    max_upload_bytes: int
    max_pixels: int
    timeout_s: float
    undo_delete_s: float
    media_types: tuple[str, ...]


class ModelBody(_Body, frozen=True):
    """Image model. `largest_side` is in px. A preview model only shows how Plushify works."""

    name: str
    title: str
    preview: bool
    largest_side: int


class CatalogBody(_Body, frozen=True):
    """Catalog, with the limits and the image model of this installation."""

    styles: list[StyleBody]
    qualities: list[QualityBody]
    limits: LimitsBody
    model: ModelBody
    free_credits: int
    buy_credits_url: str | None


class FailureBody(_Body, frozen=True):
    """Reason why a generation failed. It is `refunded`, because failure and refund are committed atomically."""

    code: Code
    reason: Reason
    message: str
    retryable: bool
    refunded: bool = True

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """Return the body of this failure."""
        return cls(
            code=failure.code, reason=failure.reason, message=failure.reason.message, retryable=failure.retryable
        )


class GenerationBody(_Body, frozen=True):
    """Generation. `width` and `height` are those of the generated picture, in px."""

    id: UUID
    status: Status
    style: str
    quality: str
    credits_cost: int
    original_url: str | None
    generated_url: str | None
    thumbnail_url: str | None
    placeholder: str | None
    width: int | None
    height: int | None
    created_at: datetime
    completed_at: datetime | None
    error: FailureBody | None

    @classmethod
    def of(cls, generation: Generation) -> Self:
        """Return the body of this generation."""
        url = f"/api/generations/{generation.id}"
        generated, failure = generation.generated, generation.failure
        return cls(
            id=generation.id,
            status=generation.status,
            style=generation.style,
            quality=generation.quality,
            credits_cost=generation.credits_cost,
            original_url=f"{url}/original" if generation.original else None,
            generated_url=f"{url}/generated" if generated else None,
            thumbnail_url=f"{url}/thumbnail" if generation.thumbnail else None,
            placeholder=generation.placeholder,
            width=generated.width if generated else None,
            height=generated.height if generated else None,
            created_at=generation.created_at,
            completed_at=generation.completed_at,
            error=FailureBody.of(failure) if failure else None,
        )


class GenerationsBody(_Body, frozen=True):
    """Page of generations. `next_cursor` is null on the last page. `total` counts the generations of all pages."""

    items: list[GenerationBody]
    next_cursor: UUID | None
    total: int


class CreditsBody(_Body, frozen=True):
    """Plan of a user, and balance in credits."""

    plan: str
    balance: int


class EntryBody(_Body, frozen=True):
    """Entry of the credit ledger. `amount` is in credits and signed."""

    id: UUID
    kind: EntryKind
    amount: int
    reason: str
    generation_id: UUID | None
    created_at: datetime


class EntriesBody(_Body, frozen=True):
    """Page of ledger entries, newest first. `next_cursor` is null on the last page."""

    items: list[EntryBody]
    next_cursor: UUID | None
