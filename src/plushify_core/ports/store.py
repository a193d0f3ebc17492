"""The database."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.generation import Generation
from plushify_core.ledger import LedgerEntry, Subscription
from plushify_core.ports.audit import Audit
from plushify_core.ports.calls import ModelCalls
from plushify_core.users import Session, User


class Sort(StrEnum):
    """The order of a gallery, by time of submission."""

    NEWEST = "newest"
    OLDEST = "oldest"


class GalleryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a user's generations, and in which order."""

    style: str | None = None
    quality: str | None = None
    sort: Sort = Sort.NEWEST


class Generations(Protocol):
    """The generations, within one transaction."""

    async def add(self, generation: Generation) -> bool:
        """Add a new one. False, and nothing is added, if its user has used its idempotency key already."""
        ...

    async def get(self, generation_id: UUID) -> Generation | None:
        """The generation, in the trash or not."""
        ...

    async def by_idempotency_key(self, user_id: str, key: str) -> Generation | None:
        """The user's generation with this key, in the trash or not."""
        ...

    async def replace(self, current: Generation, changed: Generation) -> bool:
        """Put `changed` in place of `current`: a compare-and-set on `(id, status, fence)` of `current`.
        False, and nothing is changed, if the stored generation has another status or fence, or is gone."""
        ...

    async def remove(self, current: Generation) -> bool:
        """Remove the row, by the same compare-and-set. Ledger entries and the model call stay."""
        ...

    async def page(
        self, user_id: str, filter: GalleryFilter, *, after: UUID | None, limit: int
    ) -> Sequence[Generation]:
        """Up to `limit` of the user's generations that are not in the trash, ordered by id (ids are ordered by
        time), beginning behind `after`."""
        ...

    async def count(self, user_id: str, filter: GalleryFilter) -> int:
        """How many there are over all pages."""
        ...

    async def count_unfinished(self, user_id: str) -> int:
        """How many of the user's are pending or running."""
        ...

    async def abandoned(self, now: datetime, *, limit: int) -> Sequence[Generation]:
        """Up to `limit` pending or running ones whose lease is over at `now`, the longest overdue first. Those that
        another open transaction holds are left out, where the technology can tell."""
        ...

    async def untidy(self, since_before: datetime, *, limit: int) -> Sequence[Generation]:
        """Up to `limit` that are untidy since that time or longer and not in the trash, likewise, the longest
        first."""
        ...

    async def expired_trash(self, deleted_before: datetime, *, limit: int) -> Sequence[Generation]:
        """Up to `limit` that were deleted at or before that time, likewise, the longest deleted first."""
        ...


class Credits(Protocol):
    """Subscriptions and the ledger, within one transaction."""

    async def open(self, subscription: Subscription) -> bool:
        """Add the subscription of a new user, with the balance 0. False if the user has one."""
        ...

    async def subscription(self, user_id: str) -> Subscription | None:
        """The user's subscription."""
        ...

    async def post(self, entry: LedgerEntry) -> bool:
        """Add the entry and move the balance by its amount, as one. The user's other postings wait until this
        transaction ends. False, and nothing moves, if the entry's generation has an entry of its kind already, or
        the grant that it expires has expired.

        Raises:
            InsufficientCredits: the balance would go below zero, or the user has no subscription. The
                transaction must then be given up.
        """
        ...

    async def entries(self, user_id: str, *, after: UUID | None, limit: int) -> Sequence[LedgerEntry]:
        """Up to `limit` of the user's entries, newest first (by id), beginning behind `after`."""
        ...

    async def expiring(self, now: datetime, *, limit: int) -> Sequence[Subscription]:
        """Up to `limit` subscriptions whose `next_expiry_at` is not after `now`, likewise left out if another open
        transaction holds them."""
        ...

    async def plan_expiry(self, user_id: str, at: datetime | None) -> None:
        """Set the user's `next_expiry_at`."""
        ...

    async def entries_of(self, generation_id: UUID) -> Sequence[LedgerEntry]:
        """The entries that belong to a generation, oldest first."""
        ...


class Users(Protocol):
    """Accounts and who is signed in, within one transaction."""

    async def add(self, user: User) -> bool:
        """Add an account. False, and nothing is added, if its email address is taken."""
        ...

    async def get(self, user_id: str) -> User | None:
        """The account with this id."""
        ...

    async def by_email(self, email: str) -> User | None:
        """The account with this address (lower case)."""
        ...

    async def add_session(self, session: Session) -> None:
        """Sign someone in."""
        ...

    async def session(self, token_hash: str) -> Session | None:
        """The session with this token, over or not."""
        ...

    async def remove_session(self, token_hash: str) -> None:
        """Sign someone out. It is no error if there is no such session."""
        ...

    async def remove_expired_sessions(self, now: datetime) -> int:
        """Forget the sessions that are over at `now`; how many there were."""
        ...


class Transaction(Protocol):
    """One transaction: all of what is done through it happens, or nothing of it."""

    @property
    def generations(self) -> Generations:
        """The generations."""
        ...

    @property
    def credits(self) -> Credits:
        """Subscriptions and the ledger."""
        ...

    @property
    def users(self) -> Users:
        """Accounts and sessions."""
        ...

    @property
    def model_calls(self) -> ModelCalls:
        """The record of paid calls."""
        ...

    @property
    def audit(self) -> Audit:
        """What an auditor reads."""
        ...


class Store(Protocol):
    """The database."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that commits when its block ends without an exception, and rolls back otherwise,
        cancellation included; only one that meets the commit itself may come too late. Transactions are isolated as
        if they ran one after the other as far as compare-and-set, unique keys and postings go. A block never waits
        for the network but for the database.
        """
        ...
