"""The movements of credits, each within a transaction of the caller's.

Whoever moves credits does it through here, so that an entry and what it pays for are committed as one.
"""

import msgspec

from plushify_core.errors import Reason
from plushify_core.generation import Failure, Generation
from plushify_core.ledger import EntryKind, LedgerEntry, Subscription
from plushify_core.model_call import Billing, ModelCall, ModelFacts, Outcome
from plushify_core.ports import Clock, NewId, Transaction

PLAN = "free"
SYSTEM = "system"


class Bookkeeping:
    """Posts entries and ends generations.

    Args:
        clock: the time of the entries.
        new_id: their ids.
        free_credits: what a user gets on first sight, in credits.
    """

    def __init__(self, *, clock: Clock, new_id: NewId, free_credits: int) -> None:
        self._clock = clock
        self._new_id = new_id
        self._free_credits = free_credits

    async def ensure_subscription(self, tx: Transaction, user_id: str) -> Subscription:
        """The user's subscription, made with the free credits on first sight."""
        opened = await tx.credits.open(Subscription(user_id=user_id, plan=PLAN, balance=0, created_at=self._clock()))
        if opened and self._free_credits:
            await self.post(tx, user_id, EntryKind.GRANT, self._free_credits, reason="free credits")
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
    ) -> bool:
        """Post one entry of `amount` (signed) credits; False if the generation has one of this kind already.

        Raises:
            InsufficientCredits: the balance would go below zero.
        """
        return await tx.credits.post(
            LedgerEntry(
                id=self._new_id(),
                user_id=user_id,
                kind=kind,
                amount=amount,
                reason=reason,
                actor=actor,
                generation_id=generation.id if generation else None,
                created_at=self._clock(),
            )
        )

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
        outcome: Outcome,
        *,
        billing: Billing = Billing.UNKNOWN,
        facts: ModelFacts | None = None,
        reason: Reason | None = None,
    ) -> None:
        """Record how the call of this generation ended, if there was one. What an answer that came too late
        cost is recorded too; the outcome then stays what it was."""
        call = await tx.model_calls.get(generation.id)
        if call is None:
            return
        if call.outcome is Outcome.CALLING:
            call = call.ended(outcome, at=self._clock(), reason=reason)
        await tx.model_calls.replace(msgspec.structs.replace(call, billing=billing, facts=facts or call.facts))

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
