"""Credits as a bank keeps money: immutable entries, and a cached balance that always equals their sum."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class EntryKind(StrEnum):
    """Why credits moved."""

    GRANT = "grant"
    CONSUME = "consume"
    REFUND = "refund"
    ADJUST = "adjust"


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of credits. `amount` is signed: what it adds to the balance.

    A generation has at most one entry of each kind, so a refund can be retried without harm. What is left of a
    grant at its `expires_at` is taken back by an `adjust` entry that names it in `expires_grant`, at most one.
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
            raise ValueError("what is left of a grant is taken back by an adjustment")
        if not self.reason or not self.actor:
            raise ValueError("an entry says why credits moved, and who moved them")


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A user's plan and cached balance in credits. `next_expiry_at` is when the first of their grants expires that
    may have credits left."""

    user_id: str
    plan: str
    balance: int
    created_at: datetime
    next_expiry_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.balance < 0:
            raise ValueError("a balance is never below zero")
