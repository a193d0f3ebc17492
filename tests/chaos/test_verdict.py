"""The verdict can be "guilty"."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from plushify_core import Billing, ModelCall, ModelFacts, Outcome
from tests.chaos.bill import Billed
from tests.chaos.verdict import wrong_in_bill
from tests.emulators.openrouter.answers import COST_USD

FREE, PAID, LOST = Billed("photo", 0.0), Billed("photo", COST_USD), Billed("photo", None)


def record(billing: Billing, outcome: Outcome = Outcome.FAILED, cost_usd: float | None = None) -> ModelCall:
    """A call as Plushify has recorded it."""
    cost = None if cost_usd is None else round(cost_usd * 1e9)
    return ModelCall(
        generation_id=UUID(int=1),
        user_id="ann",
        style="kawaii",
        quality="standard",
        model_asked="a model",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        outcome=outcome,
        billing=billing,
        facts=ModelFacts(cost_nano_usd=cost),
    )


@pytest.mark.parametrize(
    ("calls", "recorded"),
    [
        ([], None),
        ([], record(Billing.NOT_BILLED)),
        ([FREE, FREE, PAID], record(Billing.BILLED, Outcome.SUCCEEDED, COST_USD)),
        ([LOST], record(Billing.UNKNOWN)),
        ([PAID], record(Billing.UNKNOWN)),
        ([FREE], record(Billing.NOT_BILLED)),
    ],
)
def test_honest_bills_pass(calls: list[Billed], recorded: ModelCall | None) -> None:
    """One paid call at most, the last; and a record that says so, or that nobody knows."""
    assert list(wrong_in_bill(calls, recorded)) == []


@pytest.mark.parametrize(
    ("calls", "recorded"),
    [
        ([PAID, PAID], None),
        ([LOST, PAID], None),
        ([PAID, FREE], record(Billing.UNKNOWN)),
        ([PAID], record(Billing.NOT_BILLED)),
        ([FREE], record(Billing.BILLED, cost_usd=COST_USD)),
        ([], record(Billing.UNKNOWN, Outcome.SUCCEEDED)),
    ],
)
def test_bills_that_break_a_promise_are_found(calls: list[Billed], recorded: ModelCall | None) -> None:
    """A second call after one that was, or may have been, billed; and a record that hides or invents a bill."""
    assert len(list(wrong_in_bill(calls, recorded))) == 1
