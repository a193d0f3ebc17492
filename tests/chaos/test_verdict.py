"""Tests of the check of the bill: it accepts correct bills, and finds violations."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from plushify_core import Billing, ModelCall, ModelFacts, Outcome
from tests.chaos.bill import ReceivedCall
from tests.chaos.verdict import billing_violations
from tests.emulators.openrouter.answers import COST_USD

FREE, PAID, LOST = ReceivedCall("photo", 0.0), ReceivedCall("photo", COST_USD), ReceivedCall("photo", None)


def record(billing: Billing, outcome: Outcome = Outcome.FAILED, cost_usd: float | None = None) -> ModelCall:
    """Return a model call as Plushify records it."""
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
def test_accepts_correct_bills(calls: list[ReceivedCall], recorded: ModelCall | None) -> None:
    """A bill is correct if only the last call is paid, and the record of the call agrees or says that it is unknown."""
    assert list(billing_violations(calls, recorded)) == []


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
def test_finds_violations_in_bills(calls: list[ReceivedCall], recorded: ModelCall | None) -> None:
    """Violations are a call after one that was or may have been billed, and a record that contradicts the bill."""
    assert len(list(billing_violations(calls, recorded))) == 1
