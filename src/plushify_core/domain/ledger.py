"""Credit ledger: immutable entries, and a cached balance that always equals their sum."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

SYSTEM = "system"
"""Actor of the entries that Plushify posts by itself."""


class EntryKind(StrEnum):
    """Kind of a ledger entry."""

    GRANT = "grant"
    CONSUME = "consume"
    REFUND = "refund"
    ADJUST = "adjust"


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One posting of credits. `amount` is signed and is added to the balance.

    A generation has at most one entry of each kind, which makes a refund idempotent. When a grant reaches its
    `expires_at`, one `adjust` entry removes the credits left of it and names the grant in `expires_grant`. A user has
    at most one grant with the same `idempotency_key`, which makes a grant repeatable.
    """

    id: UUID
    user_id: str
    kind: EntryKind
    amount: int
    reason: str
    actor: str
    created_at: datetime
    generation_id: UUID | None = None
    expires_at: datetime | None = None
    expires_grant: UUID | None = None
    idempotency_key: str | None = None

    @property
    def is_refund_by_hand(self) -> bool:
        """Whether this is the refund of a generation that an operator posted, not Plushify itself."""
        return self.kind is EntryKind.REFUND and self.actor != SYSTEM

    def __post_init__(self) -> None:
        signs = {
            EntryKind.GRANT: self.amount > 0,
            EntryKind.CONSUME: self.amount < 0,
            EntryKind.REFUND: self.amount > 0,
        }
        if not signs.get(self.kind, self.amount != 0):
            raise ValueError(f"a {self.kind} of {self.amount} credits has the wrong sign")
        if self.kind is EntryKind.REFUND and self.generation_id is None:
            raise ValueError("a refund names the generation it refunds")
        if self.expires_at is not None and self.kind is not EntryKind.GRANT:
            raise ValueError("only a grant expires")
        if self.expires_grant is not None and (self.kind is not EntryKind.ADJUST or self.amount > 0):
            raise ValueError("only an adjustment that removes credits expires a grant")
        if self.idempotency_key is not None and (self.kind is not EntryKind.GRANT or self.generation_id is not None):
            raise ValueError("only a grant without a generation has an idempotency key")
        if not self.reason or not self.actor:
            raise ValueError("an entry needs a reason and an actor")


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """Plan and cached balance of a user, in credits.

    `next_expiry_at` is the earliest future expiry among the grants of the user. It is None if no grant expires.
    """

    user_id: str
    plan: str
    balance: int
    created_at: datetime
    next_expiry_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.balance < 0:
            raise ValueError("a balance cannot be negative")
