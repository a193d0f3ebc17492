"""Audit in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from plushify_adapters.memory._tables import Repository, page
from plushify_core import ports
from plushify_core.domain.generation import Generation
from plushify_core.domain.model_call import ModelCall, Outcome
from plushify_core.ports import Imbalance


class MemoryAudit(Repository, ports.Audit):
    """Reader of the data of all users."""

    async def imbalances(self, *, after: str | None, limit: int) -> Sequence[Imbalance]:
        sums = Counter[str]()
        for entry in self.tables.entries.values():
            sums[entry.user_id] += entry.amount
        return [
            Imbalance(user_id=user_id, balance=subscription.balance, entries=sums[user_id])
            for user_id, subscription in sorted(self.tables.subscriptions.items())
            if (after is None or user_id > after) and subscription.balance != sums[user_id]
        ][:limit]

    async def recount(self, user_id: str) -> None:
        total = sum(entry.amount for entry in self.tables.entries.values() if entry.user_id == user_id)
        subscription = self.tables.subscriptions[user_id]
        self.tables.subscriptions[user_id] = msgspec.structs.replace(subscription, balance=total)

    async def scan(self, *, after: UUID | None, limit: int) -> Sequence[Generation]:
        ordered = sorted(self.tables.generations.values(), key=lambda found: found.id)
        return page(ordered, after, limit, descending=False)

    async def find(self, generation_ids: Sequence[UUID]) -> Sequence[Generation]:
        found = map(self.tables.generations.get, generation_ids)
        return [generation for generation in found if generation is not None]

    async def entry_sums(self, generation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        requested = set(generation_ids)
        sums = Counter[UUID]()
        for entry in self.tables.entries.values():
            if entry.generation_id in requested:
                sums[entry.generation_id] += entry.amount
        return sums

    async def open_calls(self, started_before: datetime, *, after: UUID | None, limit: int) -> Sequence[ModelCall]:
        return [
            call
            for generation_id, call in sorted(self.tables.model_calls.items())
            if call.outcome is Outcome.CALLING
            and call.started_at < started_before
            and (after is None or generation_id > after)
        ][:limit]
