"""The money that the provider takes: the daily limit, and the failures of one user."""

import asyncio

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, GenerationFailed, Limits, ModelError, RateLimited, Reason, Status
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import on_virtual_time

DAY_S = 24 * 60 * 60
DOLLAR = 1_000_000_000
EXPECTED = 40_000_000
"""Expected price of a call that nothing is known about, in nano-dollars."""


def timed_out() -> ModelError:
    """Return a failure after which nobody knows whether the call was billed."""
    return ModelError(Reason.TIMEOUT, "504", retryable=True, billing=Billing.UNKNOWN)


def refused() -> ModelError:
    """Return the failure of a photo that the model refused after a billed call."""
    return ModelError(Reason.CONTENT_POLICY, "SAFETY", retryable=False, billing=Billing.BILLED)


@on_virtual_time
async def test_calls_of_unknown_outcome_reach_the_limit() -> None:
    """Calls that time out count with their expected price, so they reach the daily limit like calls with a price."""
    limits = Limits(daily_spend_nano_usd=DOLLAR)
    plushify = InMemoryPlushify(limits=limits)
    plushify.model.fail_next(*(timed_out() for _ in range(300)))

    reasons = []
    for user in range(300):
        with pytest.raises(GenerationFailed) as failed:
            await plushify.make(f"user {user}")
        reasons.append(failed.value.reason)

    assert len(plushify.model.requests) == DOLLAR // EXPECTED
    assert reasons[25:] == [Reason.MODEL_UNAVAILABLE] * 275


@on_virtual_time
async def test_concurrent_generations_do_not_exceed_the_limit() -> None:
    """Of 64 concurrent generations under a limit of one call, one calls the model. The others are refunded."""
    plushify = InMemoryPlushify(limits=Limits(daily_spend_nano_usd=EXPECTED), model=MemoryImageModel(delay_s=10))
    submitted = await asyncio.gather(*(plushify.submit(f"user {number}") for number in range(64)))

    ended = await asyncio.gather(*(plushify.generate.run(generation.id) for generation in submitted))

    assert len(plushify.model.requests) == 1
    assert sorted(generation.status for generation in ended) == [Status.FAILED] * 63 + [Status.SUCCEEDED]
    failures = {generation.failure.reason for generation in ended if generation.failure is not None}
    assert failures == {Reason.MODEL_UNAVAILABLE}
    balances = [await plushify.balance(f"user {number}") for number in range(64)]
    assert sorted(balances) == [2] + [3] * 63


@on_virtual_time
async def test_failures_of_one_user_leave_the_limit_to_others() -> None:
    """A user whose photos are refused and billed is stopped before the calls use up the limit of the day."""
    limits = Limits(free_credits=1, daily_spend_nano_usd=DOLLAR)
    plushify = InMemoryPlushify(limits=limits, model=MemoryImageModel(cost_nano_usd=EXPECTED))
    plushify.model.fail_next(*(refused() for _ in range(20)))

    for _ in range(40):
        with pytest.raises((GenerationFailed, RateLimited)):
            await plushify.make("mallory")

    assert len(plushify.model.requests) == 20
    assert (await plushify.make("ann")).status is Status.SUCCEEDED
