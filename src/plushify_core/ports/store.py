"""Store: the database of generations, credits and model calls."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.domain.generation import Generation
from plushify_core.domain.ledger import LedgerEntry, Subscription
from plushify_core.ports.audit import Audit
from plushify_core.ports.calls import ModelCalls
from plushify_core.ports.installation import Installations


class Sort(StrEnum):
    """Order of a gallery by time of submission."""

    NEWEST = "newest"
    OLDEST = "oldest"


class GalleryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter and order of a gallery. None matches every style or quality."""

    style: str | None = None
    quality: str | None = None
    sort: Sort = Sort.NEWEST


class Generations(Protocol):
    """Repository of generations, within one transaction."""

    async def add(self, generation: Generation) -> bool:
        """Add a generation. Return False, and add nothing, if its user has already used its idempotency key."""
        ...

    async def get(self, generation_id: UUID) -> Generation | None:
        """Return the generation with this id, also if it is in the trash."""
        ...

    async def by_idempotency_key(self, user_id: str, key: str) -> Generation | None:
        """Return the generation of the user with this idempotency key, also if it is in the trash."""
        ...

    async def replace(self, current: Generation, changed: Generation) -> bool:
        """Replace `current` by `changed`, as a compare-and-set on the id, status and fence of `current`.

        Return False, and change nothing, if the stored generation has another status or fence or does not exist.
        """
        ...

    async def remove(self, current: Generation) -> bool:
        """Remove the row, with the compare-and-set of `replace`. Its ledger entries and model call remain."""
        ...

    async def page(
        self, user_id: str, filter: GalleryFilter, *, after: UUID | None, limit: int
    ) -> Sequence[Generation]:
        """Return up to `limit` generations of the user after the id `after` (keyset pagination).

        They are ordered by id, and so by time. Those in the trash are excluded.
        """
        ...

    async def count(self, user_id: str, filter: GalleryFilter) -> int:
        """Return the number of generations on all pages."""
        ...

    async def count_unfinished(self, user_id: str) -> int:
        """Return the number of pending or running generations of the user."""
        ...

    async def renew(self, fences: Mapping[UUID, int], lease_until: datetime) -> Collection[UUID]:
        """Set `lease_until` of the running generations with these ids and fences, in one statement.

        The others are not changed. Generations that another open transaction has locked are skipped, if the database
        supports it, so that one of them does not delay the renewal of the others.

        Args:
            fences: fence of each generation by its id.
            lease_until: new end of their leases.

        Returns:
            The ids of the generations whose lease was renewed.
        """
        ...

    async def release(self, generation_ids: Collection[UUID], now: datetime) -> None:
        """End the leases of these generations at `now`, except those that are not pending or were never reclaimed.

        A pending generation with the fence 0 was never reclaimed. It keeps its lease, because the process that
        submitted it may still be storing its photo.
        """
        ...

    async def abandoned(self, now: datetime, *, limit: int) -> Sequence[Generation]:
        """Return up to `limit` pending or running generations whose lease has expired at `now`, oldest lease first.

        Generations that another open transaction has locked are skipped, if the database supports it.
        """
        ...

    async def untidy(self, since_before: datetime, *, limit: int) -> Sequence[Generation]:
        """Return up to `limit` generations outside the trash with `untidy_since` at or before `since_before`.

        The oldest come first. Locked generations are skipped as in `abandoned`.
        """
        ...

    async def expired_trash(self, deleted_before: datetime, *, limit: int) -> Sequence[Generation]:
        """Return up to `limit` generations deleted at or before `deleted_before`, oldest deletion first.

        Locked generations are skipped as in `abandoned`.
        """
        ...


class Credits(Protocol):
    """Repository of subscriptions and ledger entries, within one transaction."""

    async def open(self, subscription: Subscription) -> bool:
        """Add the subscription of a new user, with balance 0. Return False if the user already has one."""
        ...

    async def subscription(self, user_id: str) -> Subscription | None:
        """Return the subscription of the user."""
        ...

    async def post(self, entry: LedgerEntry) -> bool:
        """Add the entry and change the balance by its amount, atomically.

        Other postings of the same user wait until this transaction ends. Return False, and change nothing, if the
        generation already has an entry of this kind, if an entry with the same `expires_grant` exists, or if the user
        already has an entry with this idempotency key. The transaction can then read that entry.

        Raises:
            InsufficientCredits: the balance would become negative, or the user has no subscription. The transaction
                must then be rolled back.
        """
        ...

    async def by_idempotency_key(self, user_id: str, key: str) -> LedgerEntry | None:
        """Return the entry of the user with this idempotency key."""
        ...

    async def entries(self, user_id: str, *, after: UUID | None, limit: int) -> Sequence[LedgerEntry]:
        """Return up to `limit` entries of the user after the id `after`, newest first (ordered by id)."""
        ...

    async def expiring(self, now: datetime, *, limit: int) -> Sequence[Subscription]:
        """Return up to `limit` subscriptions whose `next_expiry_at` is not after `now`.

        Subscriptions that another open transaction has locked are skipped, if the database supports it.
        """
        ...

    async def plan_expiry(self, user_id: str, at: datetime | None) -> None:
        """Set `next_expiry_at` of the user."""
        ...

    async def entries_of(self, generation_id: UUID) -> Sequence[LedgerEntry]:
        """Return the entries of a generation, oldest first."""
        ...


class Transaction(Protocol):
    """Changes that are committed together or not at all."""

    async def now(self) -> datetime:
        """Return the time of the database in UTC. It is read once, so it is the same in the whole transaction.

        All times of generations and ledger entries come from here, because the clocks of two machines may differ. A
        database that serves only one machine may use the clock of that machine.
        """
        ...

    @property
    def generations(self) -> Generations:
        """Repository of generations."""
        ...

    @property
    def credits(self) -> Credits:
        """Repository of subscriptions and ledger entries."""
        ...

    @property
    def model_calls(self) -> ModelCalls:
        """Records of paid calls."""
        ...

    @property
    def audit(self) -> Audit:
        """Queries that search the whole store for inconsistencies."""
        ...

    @property
    def installations(self) -> Installations:
        """Record of the identity of the installation."""
        ...


class Store(Protocol):
    """Database of generations, credits and model calls."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """Return a transaction that commits if its block ends without an exception, and rolls back otherwise.

        A cancelled block rolls back too, unless the cancellation arrives during the commit itself. Compare-and-set,
        unique keys and postings behave as if transactions ran one after the other. Inside a block, callers
        await only the database.
        """
        ...
