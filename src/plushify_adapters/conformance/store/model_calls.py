"""Contract of `ModelCalls`."""

import asyncio
from datetime import UTC, date, datetime

import msgspec

from plushify_adapters.conformance.store.entities import NOW, SECOND, entry, model_call, new_id, paid_call
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel, open_account
from plushify_core.domain.ledger import EntryKind
from plushify_core.domain.model_call import Billing, ModelCall, ModelFacts, Outcome
from plushify_core.ports import CostLine, Store

SEVERAL_DOLLARS = 7_000_000_000
"""Cost in nano-dollars that does not fit into 32 bits."""


class ModelCallsContract(StoreSuite):
    """Contract of `ModelCalls`."""

    async def test_stores_every_field_of_a_call(self, store: Store) -> None:
        """A call is returned as it was stored, in progress or ended, with all facts or none."""
        started, ended = model_call(), paid_call(SEVERAL_DOLLARS)
        async with store.begin() as tx:
            assert [await tx.model_calls.add(started), await tx.model_calls.add(ended)] == [True, True]
        async with store.begin() as tx:
            assert await tx.model_calls.get(started.generation_id) == started
            assert await tx.model_calls.get(ended.generation_id) == ended
            assert await tx.model_calls.get(new_id()) is None

    async def test_adds_one_call_per_generation(self, store: Store) -> None:
        """A second call of a generation is not added."""
        first = model_call()
        second = msgspec.structs.replace(first, model_asked="another/model")
        async with store.begin() as tx:
            assert await tx.model_calls.add(first)
            assert not await tx.model_calls.add(second)
            assert await tx.model_calls.get(first.generation_id) == first

    async def test_concurrent_transactions_add_one_call(self, store: Store) -> None:
        """Of concurrent transactions that add a call of the same generation, exactly one succeeds."""
        call = model_call()

        async def add() -> bool:
            async with store.begin() as tx:
                return await tx.model_calls.add(call)

        assert sorted(await in_parallel(add() for _ in range(20))) == [False] * 19 + [True]

    async def test_updates_a_call(self, store: Store) -> None:
        """`update` stores the changed call, and changes no other call."""
        started, other = model_call(), model_call()
        ended = paid_call(39_000_000, generation_id=started.generation_id)
        async with store.begin() as tx:
            await tx.model_calls.add(started)
            await tx.model_calls.add(other)
            assert await tx.model_calls.update(started.generation_id, lambda call: ended if call == started else call)
            assert not await tx.model_calls.update(new_id(), lambda _: ended)
        async with store.begin() as tx:
            assert await tx.model_calls.get(started.generation_id) == ended
            assert await tx.model_calls.get(other.generation_id) == other

    async def test_an_update_waits_for_the_previous_transaction(self, store: Store) -> None:
        """Of two transactions that update a call concurrently, the second one changes the call that the first left."""
        started, facts = model_call(), ModelFacts(cost_nano_usd=SEVERAL_DOLLARS)
        async with store.begin() as tx:
            await tx.model_calls.add(started)

        async def interrupt() -> None:
            async with store.begin() as tx:
                await tx.model_calls.update(started.generation_id, lambda call: call.end(Outcome.INTERRUPTED, at=NOW))

        async with store.begin() as tx:
            await tx.model_calls.update(started.generation_id, lambda call: call.bill(Billing.BILLED, facts))
            waiting = asyncio.create_task(interrupt())
            for _ in range(20):  # round trips, during which an update that does not wait would read the call
                await tx.model_calls.get(started.generation_id)
        await waiting
        async with store.begin() as tx:
            assert await tx.model_calls.get(started.generation_id) == started.bill(Billing.BILLED, facts).end(
                Outcome.INTERRUPTED, at=NOW
            )

    async def test_concurrent_updates_lose_nothing(self, store: Store) -> None:
        """Of concurrent updates of a call, each one changes the call that the previous one left."""
        call = model_call(facts=ModelFacts(attempts=0))

        def count(call: ModelCall) -> ModelCall:
            facts = msgspec.structs.replace(call.facts, attempts=call.facts.attempts + 1)
            return msgspec.structs.replace(call, facts=facts)

        async def update() -> bool:
            async with store.begin() as tx:
                return await tx.model_calls.update(call.generation_id, count)

        async with store.begin() as tx:
            await tx.model_calls.add(call)
        assert await in_parallel(update() for _ in range(20)) == [True] * 20
        async with store.begin() as tx:
            found = await tx.model_calls.get(call.generation_id)
        assert found is not None
        assert found.facts.attempts == 20

    async def test_sums_the_cost_since_a_time(self, store: Store) -> None:
        """`cost_since` sums the known costs of the calls started at or after the given time."""
        before = paid_call(1_000, started_at=NOW - SECOND / 1_000_000)
        counted = [paid_call(SEVERAL_DOLLARS), paid_call(1, started_at=NOW + SECOND), paid_call(None), model_call()]
        async with store.begin() as tx:
            assert await tx.model_calls.cost_since(NOW) == 0
            for call in (before, *counted):
                await tx.model_calls.add(call)
        async with store.begin() as tx:
            assert await tx.model_calls.cost_since(NOW) == SEVERAL_DOLLARS + 1

    async def test_groups_costs_by_day_style_model_and_outcome(self, store: Store) -> None:
        """`costs` groups calls by the day of their start in UTC, style, model and outcome.

        The model is the one that was used, or the requested one if that is unknown. `credits_earned` excludes refunds.
        """
        midnight = datetime(2026, 1, 3, tzinfo=UTC)
        kept, refunded, late = new_id(), new_id(), new_id()
        calls = [
            paid_call(SEVERAL_DOLLARS, generation_id=kept, started_at=midnight - SECOND / 1_000_000),
            paid_call(None, started_at=NOW),
            model_call(refunded, outcome=Outcome.FAILED, billing=Billing.NOT_BILLED, started_at=NOW),
            paid_call(5, generation_id=late, started_at=midnight),
            paid_call(7, style="chibi", started_at=midnight, facts=ModelFacts(model="a/model", cost_nano_usd=7)),
            paid_call(11, started_at=midnight + 3_600 * SECOND),
            paid_call(13, started_at=NOW - SECOND / 1_000_000),
        ]
        await open_account(store, 20)
        async with store.begin() as tx:
            for call in calls:
                await tx.model_calls.add(call)
            await tx.credits.post(entry(-4, generation_id=kept))
            await tx.credits.post(entry(-2, generation_id=refunded))
            await tx.credits.post(entry(2, generation_id=refunded, kind=EntryKind.REFUND))
            await tx.credits.post(entry(-1, generation_id=late))

        def line(day: int, style: str, model: str, outcome: Outcome, *figures: int) -> CostLine:
            calls, credits_earned, cost_nano_usd, unpriced_calls = figures
            return CostLine(
                day=date(2026, 1, day),
                style=style,
                model=model,
                outcome=outcome,
                calls=calls,
                credits_earned=credits_earned,
                cost_nano_usd=cost_nano_usd,
                unpriced_calls=unpriced_calls,
            )

        async with store.begin() as tx:
            assert await tx.model_calls.costs(NOW, midnight + 3_600 * SECOND) == [
                line(2, "kawaii", "maker/model", Outcome.FAILED, 1, 0, 0, 1),
                line(2, "kawaii", "maker/model-2", Outcome.SUCCEEDED, 2, 4, SEVERAL_DOLLARS, 1),
                line(3, "chibi", "a/model", Outcome.SUCCEEDED, 1, 0, 7, 0),
                line(3, "kawaii", "maker/model-2", Outcome.SUCCEEDED, 1, 1, 5, 0),
            ]
