"""What the model costs is known, reported, and limited."""

import asyncio

import pytest

from plushify_core import Billing, CostsUseCase, GenerationFailed, InvalidInput, Limits, ModelError, Outcome, Reason
from plushify_core.ports import CostLine
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import EPOCH, on_virtual_time

DAY_S = 24 * 60 * 60
PRICE = 39_000_000
MODEL = "plushify/negative"


@on_virtual_time
async def test_the_report_sets_credits_against_dollars() -> None:
    """Calls are added up by day, style, model and outcome; what failed earned nothing and is apart."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=10))
    await plushify.make()
    await plushify.make()
    plushify.model.fail_next(ModelError(Reason.TIMEOUT, "504", retryable=True, billing=Billing.UNKNOWN))
    with pytest.raises(GenerationFailed):
        await plushify.make()
    await asyncio.sleep(DAY_S)
    await plushify.generate.generate("ann", b"P6 2 2 255\n" + bytes(12), style="chibi", quality="high")

    lines = await CostsUseCase(store=plushify.store, clock=plushify.clock).report(days=2)
    today, tomorrow = EPOCH.date(), EPOCH.date().replace(day=2)
    assert lines == [
        CostLine(
            day=today,
            style="kawaii",
            model=MODEL,
            outcome=Outcome.FAILED,
            calls=1,
            credits_earned=0,
            cost_nano_usd=0,
            unpriced_calls=1,
        ),
        CostLine(
            day=today,
            style="kawaii",
            model=MODEL,
            outcome=Outcome.SUCCEEDED,
            calls=2,
            credits_earned=2,
            cost_nano_usd=2 * PRICE,
            unpriced_calls=0,
        ),
        CostLine(
            day=tomorrow,
            style="chibi",
            model=MODEL,
            outcome=Outcome.SUCCEEDED,
            calls=1,
            credits_earned=2,
            cost_nano_usd=PRICE,
            unpriced_calls=0,
        ),
    ]


@on_virtual_time
async def test_a_report_covers_the_days_that_were_asked_for() -> None:
    """What was called before is left out, and a report of no days is refused."""
    plushify = InMemoryPlushify()
    await plushify.make()
    await asyncio.sleep(DAY_S)
    costs = CostsUseCase(store=plushify.store, clock=plushify.clock)
    assert await costs.report(days=1) == []
    assert len(await costs.report(days=2)) == 1
    with pytest.raises(InvalidInput):
        await costs.report(days=0)


@on_virtual_time
async def test_the_spending_limit_refuses_before_anything_moves() -> None:
    """Once the calls of the day have cost the limit, new submissions fail uncharged; the next day goes on."""
    plushify = InMemoryPlushify(limits=Limits(daily_spend_nano_usd=2 * PRICE))
    await plushify.make()
    await plushify.make()
    with pytest.raises(GenerationFailed) as refused:
        await plushify.make()
    assert (refused.value.reason, refused.value.charged) == (Reason.MODEL_UNAVAILABLE, False)
    assert await plushify.amounts() == [3, -1, -1]
    assert len(plushify.blobs.blobs) == 6

    await asyncio.sleep(DAY_S)
    await plushify.make()
    assert await plushify.balance() == 0


@on_virtual_time
async def test_the_spending_limit_refuses_no_replay() -> None:
    """A request sent again gives the generation that it has paid for, though the day's limit is reached."""
    plushify = InMemoryPlushify(limits=Limits(daily_spend_nano_usd=PRICE))
    made = await plushify.make(key="k")
    assert await plushify.make(key="k") == made
    assert await plushify.amounts() == [3, -1]
