"""The money that the provider takes: the daily limit, and the failures of one user."""

import asyncio

import msgspec
import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, GenerationFailed, Limits, ModelError, RateLimited, Reason, Status
from plushify_core.ports import Capabilities
from tests.in_memory import InMemoryPlushify, failure_reason
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


@on_virtual_time
async def test_failures_are_bounded_until_midnight() -> None:
    """Beyond the limit, submissions are refused before the charge until midnight in UTC. Replays are not."""
    limits = Limits(free_credits=9, failed_generations_per_user_per_day=2)
    plushify = InMemoryPlushify(limits=limits)
    await asyncio.sleep(DAY_S - 100.5)
    plushify.model.fail_next(refused(), timed_out())
    failed = [await plushify.submit(key=key) for key in ("a", "b")]
    for generation in failed:
        await plushify.generate.run(generation.id)

    with pytest.raises(RateLimited) as caught:
        await plushify.submit(photo=b"not read")

    assert (caught.value.reason, caught.value.retry_after_s) == (Reason.TOO_MANY_FAILURES, 101)
    assert await plushify.amounts() == [9, -1, -1, 1, 1]
    assert (await plushify.submit(key="a")).id == failed[0].id
    await asyncio.sleep(101)
    assert (await plushify.make()).status is Status.SUCCEEDED


@on_virtual_time
async def test_failures_that_cost_nothing_are_not_bounded() -> None:
    """Failures of calls that were not billed, and of generations without a call, do not count."""
    plushify = InMemoryPlushify(limits=Limits(failed_generations_per_user_per_day=1))
    for _ in range(3):
        plushify.model.fail_next(
            ModelError(Reason.MODEL_UNAVAILABLE, "503", retryable=True, billing=Billing.NOT_BILLED)
        )
        assert (await plushify.submit_and_run()).status is Status.FAILED
    late = await plushify.submit()
    await asyncio.sleep(61)
    assert failure_reason(await plushify.generate.run(late.id)) is Reason.TIMEOUT

    assert (await plushify.make()).status is Status.SUCCEEDED


@on_virtual_time
async def test_without_a_limit_of_failures() -> None:
    """Without the limit, a user may fail any number of times."""
    plushify = InMemoryPlushify(limits=Limits(failed_generations_per_user_per_day=None))
    plushify.model.fail_next(*(refused() for _ in range(30)))
    for _ in range(30):
        assert (await plushify.submit_and_run()).status is Status.FAILED
    assert (await plushify.make()).status is Status.SUCCEEDED


@pytest.mark.parametrize(("failures", "accepted"), [(0, 9), (1, 3), (2, 2)])
@on_virtual_time
async def test_unfinished_generations_count_as_possible_failures(failures: int, accepted: int) -> None:
    """After the first failure, concurrent submissions cannot exceed the limit: the user waits for unfinished ones."""
    limits = Limits(free_credits=9, failed_generations_per_user_per_day=4, max_in_flight_per_user=9)
    plushify = InMemoryPlushify(limits=limits)
    plushify.model.fail_next(*(refused() for _ in range(9)))
    for _ in range(failures):
        await plushify.submit_and_run()

    submitted = await asyncio.gather(*(plushify.submit() for _ in range(9)), return_exceptions=True)

    refusals = [error for error in submitted if isinstance(error, RateLimited)]
    assert len(refusals) == 9 - accepted
    assert {(error.reason, error.retry_after_s) for error in refusals} <= {(Reason.TOO_MANY_IN_FLIGHT, 10)}
    assert await plushify.balance() == 9 - accepted


class PricedModel(MemoryImageModel):
    """Model that tells its price."""

    price: int | None = 7_000_000

    async def capabilities(self) -> Capabilities:
        """Return the capabilities with the price."""
        return msgspec.structs.replace(await super().capabilities(), expected_cost_nano_usd=self.price)


@on_virtual_time
async def test_expected_price() -> None:
    """The expected price is that of the model, else the average of the last week, else that of the limits."""
    limits = Limits(free_credits=9, expected_call_cost_nano_usd=5)
    plushify = InMemoryPlushify(limits=limits, model=(model := PricedModel(cost_nano_usd=39)))

    async def expected() -> int | None:
        return (await plushify.recorded_call((await plushify.submit_and_run()).id)).expected_cost_nano_usd

    assert await expected() == 7_000_000
    model.price = None
    assert await expected() == 39
    model.price = 0
    assert await expected() == 0
    await asyncio.sleep(7 * DAY_S + 1)
    model.price = None
    assert await expected() == 5


@on_virtual_time
async def test_calls_in_flight_count() -> None:
    """A submission is refused while calls in flight reserve the whole limit, and accepted when they end unbilled."""
    plushify = InMemoryPlushify(limits=Limits(daily_spend_nano_usd=EXPECTED), model=MemoryImageModel(delay_s=10))
    plushify.model.fail_next(ModelError(Reason.TIMEOUT, "503", retryable=True, billing=Billing.NOT_BILLED))
    _, run = await plushify.start_run(wait_s=1)

    with pytest.raises(GenerationFailed) as failed:
        await plushify.submit("bob")

    assert (failed.value.reason, failed.value.charged) == (Reason.MODEL_UNAVAILABLE, False)
    assert await plushify.amounts("bob") == []
    await run
    assert (await plushify.make("bob")).status is Status.SUCCEEDED


@on_virtual_time
async def test_dispatch_at_the_limit() -> None:
    """A generation that reaches the limit between submission and dispatch is refunded, and its photo is removed."""
    plushify = InMemoryPlushify(limits=Limits(daily_spend_nano_usd=1))
    first, second = await plushify.submit("ann"), await plushify.submit("bob")
    await plushify.generate.run(first.id)

    failed = await plushify.generate.run(second.id)

    assert failure_reason(failed) is Reason.MODEL_UNAVAILABLE
    assert await plushify.amounts("bob") == [3, -1, 1]
    assert await plushify.pictures_of(second.id) == []
    assert len(plushify.model.requests) == 1
