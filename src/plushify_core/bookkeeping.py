"""The movements of credits, each within a transaction of the caller's.

Whoever moves credits does it through here, so that an entry and what it pays for are committed as one.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from plushify_core.errors import Reason
from plushify_core.expiry import left_of_grants
from plushify_core.generation import Failure, Generation
from plushify_core.ledger import EntryKind, LedgerEntry, Subscription
from plushify_core.limits import Limits
from plushify_core.model_call import Billing, ModelCall, ModelFacts, Outcome
from plushify_core.ports import Clock, NewId, Transaction

PLAN = "free"
SYSTEM = "system"


class Bookkeeping:
    """Posts entries and ends generations.

    Args:
        clock: the time of the entries.
        new_id: their ids.
        limits: what a user gets on first sight, and for how long granted credits can be spent.
    """

    def __init__(self, *, clock: Clock, new_id: NewId, limits: Limits) -> None:
        self._clock = clock
        self._new_id = new_id
        self._limits = limits

    async def ensure_subscription(self, tx: Transaction, user_id: str) -> Subscription:
        """The user's subscription, made with the free credits on first sight."""
        opened = await tx.credits.open(Subscription(user_id=user_id, plan=PLAN, balance=0, created_at=self._clock()))
        if opened and self._limits.free_credits:
            await self.post(tx, user_id, EntryKind.GRANT, self._limits.free_credits, reason="free credits")
        subscription = await tx.credits.subscription(user_id)
        assert subscription is not None, "it was opened in this very transaction, or stood before"
        return subscription

    async def post(
        self,
        tx: Transaction,
        user_id: str,
        kind: EntryKind,
        amount: int,
        *,
        reason: str,
        actor: str = SYSTEM,
        generation: Generation | None = None,
        expires_grant: UUID | None = None,
    ) -> bool:
        """Post one entry of `amount` (signed) credits; False if it stands already, for its generation or grant.

        Raises:
            InsufficientCredits: the balance would go below zero.
        """
        now = self._clock()
        lifetime = self._limits.credits_lifetime if kind is EntryKind.GRANT else None
        entry = LedgerEntry(
            id=self._new_id(),
            user_id=user_id,
            kind=kind,
            amount=amount,
            reason=reason,
            actor=actor,
            created_at=now,
            generation_id=generation.id if generation else None,
            expires_at=now + lifetime if lifetime else None,
            expires_grant=expires_grant,
        )
        posted = await tx.credits.post(entry)
        if posted and entry.expires_at is not None:
            await self._plan_expiry(tx, user_id, entry.expires_at)
        return posted

    async def expire(self, tx: Transaction, user_id: str) -> None:
        """Take back what is left of the user's grants that are over."""
        now = self._clock()
        entries = await self._all_entries(tx, user_id)
        left = left_of_grants(entries)
        for grant in entries:
            if grant.expires_at is not None and grant.expires_at <= now and left[grant.id]:
                await self.post(
                    tx, user_id, EntryKind.ADJUST, -left[grant.id], reason="expired", expires_grant=grant.id
                )
        ahead = [grant.expires_at for grant in entries if grant.expires_at is not None and grant.expires_at > now]
        await tx.credits.plan_expiry(user_id, min(ahead, default=None))

    async def charge(self, tx: Transaction, generation: Generation) -> None:
        """Take the price of a generation.

        Raises:
            InsufficientCredits: the balance does not cover it.
        """
        await self.post(
            tx,
            generation.user_id,
            EntryKind.CONSUME,
            -generation.credits_cost,
            reason=f"{generation.style}, {generation.quality}",
            actor=generation.user_id,
            generation=generation,
        )

    async def open_call(self, tx: Transaction, generation: Generation, model_asked: str) -> None:
        """Record that the model is about to be called for this generation."""
        added = await tx.model_calls.add(
            ModelCall(
                generation_id=generation.id,
                user_id=generation.user_id,
                style=generation.style,
                quality=generation.quality,
                model_asked=model_asked,
                started_at=self._clock(),
            )
        )
        assert added, "the life of a generation has one dispatch"

    async def close_call(
        self,
        tx: Transaction,
        generation: Generation,
        outcome: Outcome | None,
        *,
        billing: Billing = Billing.UNKNOWN,
        facts: ModelFacts | None = None,
        reason: Reason | None = None,
    ) -> None:
        """Record how the call of this generation ended, if there was one, and what it cost, as far as that is
        known. An outcome stays what it was; None leaves it to whoever ends the generation."""
        call = await tx.model_calls.get(generation.id)
        if call is None:
            return
        if outcome is not None and call.outcome is Outcome.CALLING:
            call = call.ended(outcome, at=self._clock(), reason=reason)
        if billing is not Billing.UNKNOWN:
            call = msgspec.structs.replace(call, billing=billing)
        if facts is not None and facts != ModelFacts():
            call = msgspec.structs.replace(call, facts=facts)
        await tx.model_calls.replace(call)

    async def fail(
        self,
        tx: Transaction,
        generation: Generation,
        failure: Failure,
        *,
        outcome: Outcome = Outcome.INTERRUPTED,
        billing: Billing = Billing.UNKNOWN,
        facts: ModelFacts | None = None,
        original_stored: bool = True,
    ) -> Generation | None:
        """End a generation without a picture: status, refund and model call as one. None, and nothing is
        changed, if somebody else has taken it over."""
        failed = generation.failed(failure, at=self._clock(), original_stored=original_stored)
        if not await tx.generations.replace(generation, failed):
            return None
        await self.post(
            tx,
            generation.user_id,
            EntryKind.REFUND,
            generation.credits_cost,
            reason=failure.reason,
            generation=generation,
        )
        await self.close_call(tx, generation, outcome, billing=billing, facts=facts, reason=failure.reason)
        return failed

    async def _plan_expiry(self, tx: Transaction, user_id: str, at: datetime) -> None:
        subscription = await tx.credits.subscription(user_id)
        assert subscription is not None, "it was just posted to"
        if subscription.next_expiry_at is None or at < subscription.next_expiry_at:
            await tx.credits.plan_expiry(user_id, at)

    async def _all_entries(self, tx: Transaction, user_id: str) -> Sequence[LedgerEntry]:
        """All entries of the user, oldest first."""
        entries: list[LedgerEntry] = []
        page_items = self._limits.max_page_items
        while True:
            after = entries[-1].id if entries else None
            page = await tx.credits.entries(user_id, after=after, limit=page_items)
            entries.extend(page)
            if len(page) < page_items:
                return entries[::-1]
