"""Model calls in memory."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from uuid import UUID

from plushify_adapters.memory._tables import Repository
from plushify_core import ports
from plushify_core.domain.model_call import ModelCall, Outcome
from plushify_core.ports import CostLine


class MemoryModelCalls(Repository, ports.ModelCalls):
    """Records of paid calls."""

    async def add(self, call: ModelCall) -> bool:
        if call.generation_id in self.tables.model_calls:
            return False
        self.tables.model_calls[call.generation_id] = call
        return True

    async def get(self, generation_id: UUID) -> ModelCall | None:
        return self.tables.model_calls.get(generation_id)

    async def update(self, generation_id: UUID, change: Callable[[ModelCall], ModelCall]) -> bool:
        call = self.tables.model_calls.get(generation_id)
        if call is None:
            return False
        self.tables.model_calls[generation_id] = change(call)
        return True

    async def lock_spending(self) -> None:
        """Do nothing: the store runs one transaction at a time."""

    async def cost_since(self, since: datetime, *, default_nano_usd: int = 0) -> int:
        return sum(call.counted_cost_nano_usd(default_nano_usd) for call in self._since(since))

    async def average_cost(self, model: str, quality: str, since: datetime, *, calls: int) -> int | None:
        alike = [call for call in self._since(since) if (call.model_asked, call.quality) == (model, quality)]
        newest_first = sorted(alike, key=lambda call: call.started_at, reverse=True)
        known = [call.facts.cost_nano_usd for call in newest_first if call.facts.cost_nano_usd is not None][:calls]
        return math.ceil(Fraction(sum(known), len(known))) if known else None

    async def count_costly_failures(self, user_id: str, since: datetime) -> int:
        return sum(call.user_id == user_id and call.is_costly_failure for call in self._since(since))

    async def costs(self, since: datetime, until: datetime) -> Sequence[CostLine]:
        earned = Counter[UUID]()
        for entry in self.tables.entries.values():
            if entry.generation_id is not None:
                earned[entry.generation_id] -= entry.amount
        groups = defaultdict[tuple[date, str, str, Outcome], list[ModelCall]](list)
        for call in self.tables.model_calls.values():
            if since <= call.started_at < until:
                day = call.started_at.astimezone(UTC).date()
                groups[day, call.style, call.facts.model or call.model_asked, call.outcome].append(call)
        return [
            CostLine(
                day=day,
                style=style,
                model=model,
                outcome=outcome,
                calls=len(calls),
                credits_earned=sum(earned[call.generation_id] for call in calls),
                cost_nano_usd=sum(call.facts.cost_nano_usd or 0 for call in calls),
                unpriced_calls=sum(call.facts.cost_nano_usd is None for call in calls),
                unpriced_expected_nano_usd=sum(
                    call.counted_cost_nano_usd(0) for call in calls if call.facts.cost_nano_usd is None
                ),
            )
            for (day, style, model, outcome), calls in sorted(groups.items())
        ]

    def _since(self, since: datetime) -> list[ModelCall]:
        return [call for call in self.tables.model_calls.values() if call.started_at >= since]
