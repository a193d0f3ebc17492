"""What goes over the wire, as JSON in camelCase, and how the domain's values are told in it."""

from datetime import datetime
from uuid import UUID

import msgspec

from plushify_core import Code, EntryKind, Generation, InvalidInput, LedgerEntry, Reason, Status, User


class _Body(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What we send."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What someone signs up or in with."""

    email: str
    password: str


class UserBody(_Body, frozen=True):
    """Who someone is."""

    id: str
    email: str


class SessionBody(_Body, frozen=True):
    """Who is signed in; null for nobody."""

    user: UserBody | None

    @classmethod
    def of(cls, user: User | None) -> "SessionBody":
        """The session of this user."""
        return cls(user=UserBody(id=user.id, email=user.email) if user else None)


class StyleBody(_Body, frozen=True):
    """A style to choose."""

    id: str
    name: str
    description: str


class QualityBody(_Body, frozen=True):
    """A quality to choose: `pixels` on the longest side, for `price` credits; `reason` says why it is not available."""

    id: str
    name: str
    pixels: int
    credit_multiplier: int
    price: int
    available: bool
    reason: str | None


class LimitsBody(_Body, frozen=True):
    """What is refused, and how long things take at most."""

    max_upload_bytes: int
    max_pixels: int
    timeout_s: float
    undo_delete_s: float
    media_types: tuple[str, ...]


class ModelBody(_Body, frozen=True):
    """Which image model draws; a preview is no substitute for a real one."""

    name: str
    title: str
    preview: bool
    largest_side: int


class CatalogBody(_Body, frozen=True):
    """All there is to choose from."""

    styles: list[StyleBody]
    qualities: list[QualityBody]
    limits: LimitsBody
    model: ModelBody
    free_credits: int
    buy_credits_url: str | None


class FailureBody(_Body, frozen=True):
    """Why there is no picture. The refund is committed together with the failure."""

    code: Code
    reason: Reason
    message: str
    retryable: bool
    refunded: bool = True


class GenerationBody(_Body, frozen=True):
    """A generation as it stands. `width` and `height` are the true size of the generated picture, in px."""

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
    def of(cls, generation: Generation) -> "GenerationBody":
        """This generation."""
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
            error=FailureBody(
                code=failure.code,
                reason=failure.reason,
                message=failure.reason.message,
                retryable=failure.retryable,
            )
            if failure
            else None,
        )


class GenerationsBody(_Body, frozen=True):
    """A page of generations; `total` counts all pages."""

    items: list[GenerationBody]
    next_cursor: UUID | None
    total: int


class CreditsBody(_Body, frozen=True):
    """A user's plan and balance."""

    plan: str
    balance: int


class EntryBody(_Body, frozen=True):
    """One movement of credits; `amount` is signed."""

    id: UUID
    kind: EntryKind
    amount: int
    reason: str
    generation_id: UUID | None
    created_at: datetime

    @classmethod
    def of(cls, entry: LedgerEntry) -> "EntryBody":
        """This entry."""
        return cls(
            id=entry.id,
            kind=entry.kind,
            amount=entry.amount,
            reason=entry.reason,
            generation_id=entry.generation_id,
            created_at=entry.created_at,
        )


class EntriesBody(_Body, frozen=True):
    """A page of the statement, newest first."""

    items: list[EntryBody]
    next_cursor: UUID | None


def cursor_of(text: str | None) -> UUID | None:
    """The place in a list that `nextCursor` named.

    Raises:
        InvalidInput: `invalid_cursor`.
    """
    try:
        return UUID(text) if text else None
    except ValueError:
        raise InvalidInput(Reason.INVALID_CURSOR) from None
