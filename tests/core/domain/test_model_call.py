"""Record of a model call: reports of several processes about one call, in any order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from plushify_core import Billing, ModelCall, ModelFacts, Outcome

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CALL = ModelCall(
    generation_id=UUID(int=1), user_id="ann", style="kawaii", quality="high", model_asked="maker/model", started_at=NOW
)


def test_the_first_outcome_stays() -> None:
    """A call that has ended keeps its outcome, its end and its reason."""
    ended = CALL.end(Outcome.INTERRUPTED, at=NOW, reason="interrupted")
    assert ended.end(Outcome.SUCCEEDED, at=NOW + timedelta(seconds=1), reason="late") == ended


@pytest.mark.parametrize(
    ("reports", "known"),
    [
        ((Billing.UNKNOWN, Billing.BILLED), Billing.BILLED),
        ((Billing.BILLED, Billing.UNKNOWN), Billing.BILLED),
        ((Billing.NOT_BILLED, Billing.UNKNOWN), Billing.NOT_BILLED),
        ((Billing.NOT_BILLED, Billing.BILLED), Billing.BILLED),
        ((Billing.BILLED, Billing.NOT_BILLED), Billing.BILLED),
    ],
)
def test_the_most_certain_billing_stays(reports: tuple[Billing, ...], known: Billing) -> None:
    """A known billing is never replaced by an unknown one, and a billed call never becomes one that costs nothing."""
    call = CALL
    for billing in reports:
        call = call.bill(billing, ModelFacts())
    assert call.billing is known


def test_a_known_fact_stays() -> None:
    """A report that leaves out a fact does not remove it. A report that has it replaces it."""
    first = ModelFacts(model="maker/model", cost_nano_usd=39_000_000, attempts=2)
    second = ModelFacts(provider="a provider", cost_nano_usd=40_000_000)
    call = CALL.bill(Billing.BILLED, first).bill(Billing.BILLED, second).bill(Billing.UNKNOWN, ModelFacts())
    assert call.facts == ModelFacts(model="maker/model", provider="a provider", cost_nano_usd=40_000_000, attempts=2)
