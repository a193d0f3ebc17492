"""Records of model calls, and of failures with their refunds, each within a transaction of the caller."""

from dataclasses import dataclass

from plushify_core.domain.errors import Reason
from plushify_core.domain.generation import Failure, Generation
from plushify_core.domain.model_call import Billing, ModelCall, ModelFacts, Outcome, SecondDispatch
from plushify_core.ports import Transaction
from plushify_core.use_cases._ledger_postings import LedgerPostings


@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomeRecorder:
    """Recorder of model calls and of failed generations."""

    postings: LedgerPostings

    async def open_call(
        self, tx: Transaction, generation: Generation, model_asked: str, *, expected_cost_nano_usd: int | None = None
    ) -> None:
        """Record that the model is about to be called for this generation, and the price expected for it.

        Raises:
            SecondDispatch: its call is recorded already. The exception rolls the dispatch back, so the model is not
                called again.
        """
        added = await tx.model_calls.add(
            ModelCall(
                generation_id=generation.id,
                user_id=generation.user_id,
                style=generation.style,
                quality=generation.quality,
                model_asked=model_asked,
                started_at=await tx.now(),
                expected_cost_nano_usd=expected_cost_nano_usd,
            )
        )
        if not added:
            raise SecondDispatch(f"generation {generation.id} has been dispatched before")

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

        Do nothing if the model was not called. Nothing that is known is replaced: neither an outcome, nor a known
        cost by an unknown one.

        Args:
            outcome: the outcome; None to record the cost only.
            billing: whether the provider charges for the call, if known.
            facts: facts that the provider reported, if any.
            reason: reason of a failure.
        """
        now = await tx.now()

        def close(call: ModelCall) -> ModelCall:
            ended = call if outcome is None else call.end(outcome, at=now, reason=reason)
            return ended.bill(billing, facts or ModelFacts())

        await tx.model_calls.update(generation.id, close)

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
