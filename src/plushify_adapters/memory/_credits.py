"""Subscriptions and ledger entries in memory."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from plushify_adapters.memory._tables import Repository, page
from plushify_core import ports
from plushify_core.domain.errors import InsufficientCredits
from plushify_core.domain.ledger import LedgerEntry, Subscription


class MemoryCredits(Repository, ports.Credits):
    """Repository of subscriptions and ledger entries."""

    async def open(self, subscription: Subscription) -> bool:
        if subscription.user_id in self.tables.subscriptions:
            return False
        self.tables.subscriptions[subscription.user_id] = subscription
        return True

    async def subscription(self, user_id: str) -> Subscription | None:
        return self.tables.subscriptions.get(user_id)

    async def post(self, entry: LedgerEntry) -> bool:
        if not self._claim_unique_keys(entry):
            return False
        subscription = self.tables.subscriptions.get(entry.user_id)
        if subscription is None:
            raise InsufficientCredits(balance=0)
        if subscription.balance + entry.amount < 0:
            raise InsufficientCredits(balance=subscription.balance)
        self.tables.entries[entry.id] = entry
        self.tables.subscriptions[entry.user_id] = msgspec.structs.replace(
            subscription, balance=subscription.balance + entry.amount
        )
        return True

    async def by_idempotency_key(self, user_id: str, key: str) -> LedgerEntry | None:
        posted = self.tables.grant_keys.get((user_id, key))
        return None if posted is None else self.tables.entries[posted]

    async def entries(self, user_id: str, *, after: UUID | None, limit: int) -> Sequence[LedgerEntry]:
        of_user = [entry for entry in self.tables.entries.values() if entry.user_id == user_id]
        ordered = sorted(of_user, key=lambda entry: entry.id, reverse=True)
        return page(ordered, after, limit, descending=True)

    async def expiring(self, now: datetime, *, limit: int) -> Sequence[Subscription]:
        due = [
            subscription
            for subscription in self.tables.subscriptions.values()
            if subscription.next_expiry_at is not None and subscription.next_expiry_at <= now
        ]
        return due[:limit]

    async def plan_expiry(self, user_id: str, at: datetime | None) -> None:
        subscription = self.tables.subscriptions[user_id]
        self.tables.subscriptions[user_id] = msgspec.structs.replace(subscription, next_expiry_at=at)

    async def entries_of(self, generation_id: UUID) -> Sequence[LedgerEntry]:
        of_generation = [entry for entry in self.tables.entries.values() if entry.generation_id == generation_id]
        return sorted(of_generation, key=lambda entry: entry.id)

    def _claim_unique_keys(self, entry: LedgerEntry) -> bool:
        """Claim the unique keys of the entry. Return False if another entry has one of them."""
        owners: set[UUID] = set()
        if entry.generation_id is not None:
            owners.add(self.tables.entry_kinds.setdefault((entry.generation_id, entry.kind), entry.id))
        if entry.expires_grant is not None:
            owners.add(self.tables.expired_grants.setdefault(entry.expires_grant, entry.id))
        if entry.idempotency_key is not None:
            owners.add(self.tables.grant_keys.setdefault((entry.user_id, entry.idempotency_key), entry.id))
        return owners <= {entry.id}
