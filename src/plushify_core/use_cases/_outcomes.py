"""Records of model calls, and of failures with their refunds, each within a transaction of the caller."""

from dataclasses import dataclass

import msgspec

from plushify_core.domain.errors import Reason
from plushify_core.domain.generation import Failure, Generation
from plushify_core.domain.model_call import Billing, ModelCall, ModelFacts, Outcome
from plushify_core.ports import Transaction
from plushify_core.use_cases._ledger_postings import LedgerPostings


@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomeRecorder:
    """Records how model calls begin and end, and fails generations."""

    postings: LedgerPostings

    async def open_call(self, tx: Transaction, generation: Generation, model_asked: str) -> None:
        """Record that the model is about to be called for this generation."""
        added = await tx.model_calls.add(
            ModelCall(
                generation_id=generation.id,
                user_id=generation.user_id,
                style=generation.style,
                quality=generation.quality,
                model_asked=model_asked,
                started_at=await tx.now(),
            )
        )
        assert added, "a generation is dispatched once"

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
        """Record how the model call of this generation ended, and its cost if known.

        Do nothing if the model was not called. A recorded outcome is never changed.

        Args:
            outcome: the outcome; None to record the cost only.
            billing: whether the provider charges for the call, if known.
            facts: facts that the provider reported, if any.
            reason: reason of a failure.
        """
        call = await tx.model_calls.get(generation.id)
        if call is None:
            return
        if outcome is not None and call.outcome is Outcome.CALLING:
            call = call.end(outcome, at=await tx.now(), reason=reason)
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
        """Fail a generation: set its status, refund its price and close its model call, atomically.

        Return None, and change nothing, if another process has changed the generation.
        """
        failed = generation.fail(failure, at=await tx.now(), original_stored=original_stored)
        if not await tx.generations.replace(generation, failed):
            return None
        await self.postings.refund(tx, generation, reason=failure.reason)
        await self.close_call(tx, generation, outcome, billing=billing, facts=facts, reason=failure.reason)
        return failed
