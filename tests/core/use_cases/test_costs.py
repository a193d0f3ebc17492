"""Costs of the image model: the report, and the daily spending limit."""

import asyncio

import pytest

from plushify_core import Billing, CostsUseCase, GenerationFailed, InvalidInput, Limits, ModelError, Outcome, Reason
from plushify_core.ports import CostLine
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import EPOCH, on_virtual_time

DAY_S = 24 * 60 * 60
PRICE_NANO_USD = 39_000_000


def line(
    day: int, style: str, outcome: Outcome, *, calls: int, earned: int, cost: int, unpriced: int, expected: int = 0
) -> CostLine:
    """Return a line of the report. `day` is the day of the month of `EPOCH`; the costs are in nano-dollars."""
    return CostLine(
        day=EPOCH.date().replace(day=day),
        style=style,
        model="plushify/negative",
        outcome=outcome,
        calls=calls,
        credits_earned=earned,
        cost_nano_usd=cost,
        unpriced_calls=unpriced,
        unpriced_expected_nano_usd=expected,
    )


@on_virtual_time
async def test_report() -> None:
    """The report totals calls by day, style, model and outcome; failed calls earn no credits."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=10))
    await plushify.make()
    await plushify.make()
    plushify.model.fail_next(ModelError(Reason.TIMEOUT, "504", retryable=True, billing=Billing.UNKNOWN))
    with pytest.raises(GenerationFailed):
        await plushify.make()
    await asyncio.sleep(DAY_S)
    await plushify.generate.generate("ann", b"P6 2 2 255\n" + bytes(12), style="chibi", quality="high")

    lines = await CostsUseCase(store=plushify.store, clock=plushify.clock).report(days=2)
    assert lines == [
        line(1, "kawaii", Outcome.FAILED, calls=1, earned=0, cost=0, unpriced=1, expected=PRICE_NANO_USD),
        line(1, "kawaii", Outcome.SUCCEEDED, calls=2, earned=2, cost=2 * PRICE_NANO_USD, unpriced=0),
        line(2, "chibi", Outcome.SUCCEEDED, calls=1, earned=2, cost=PRICE_NANO_USD, unpriced=0),
    ]


@on_virtual_time
async def test_report_after_a_refund() -> None:
    """A refunded picture earned no credits, and its cost stays."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    await plushify.make()
    await plushify.credits.refund_generation("ann", made.id, reason="blurred", actor="eve")

    lines = await CostsUseCase(store=plushify.store, clock=plushify.clock).report(days=1)
    assert lines == [line(1, "kawaii", Outcome.SUCCEEDED, calls=2, earned=1, cost=2 * PRICE_NANO_USD, unpriced=0)]


@on_virtual_time
async def test_days_of_the_report() -> None:
    """A report covers the requested number of days, and a report of no days is refused."""
    plushify = InMemoryPlushify()
    await plushify.make()
    await asyncio.sleep(DAY_S)
    costs = CostsUseCase(store=plushify.store, clock=plushify.clock)
    assert await costs.report(days=1) == []
    assert len(await costs.report(days=2)) == 1
    with pytest.raises(InvalidInput):
        await costs.report(days=0)


@on_virtual_time
async def test_daily_spending_limit() -> None:
    """Once the cost of the day has reached the limit, submissions fail uncharged until the next day."""
    plushify = InMemoryPlushify(limits=Limits(daily_spend_nano_usd=2 * PRICE_NANO_USD))
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
async def test_replay_after_the_spending_limit() -> None:
    """A replay returns its generation although the limit of the day is reached."""
    plushify = InMemoryPlushify(limits=Limits(daily_spend_nano_usd=PRICE_NANO_USD))
    made = await plushify.make(key="k")
    assert await plushify.make(key="k") == made
    assert await plushify.amounts() == [3, -1]
