"""Capacity of the runner: which generations it accepts, in which order it runs them, and what happens in its queue."""

import asyncio
from uuid import UUID

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Generation, InvalidInput, Limits, RateLimited, Reason, Status
from tests.in_memory import PHOTO, InMemoryPlushify, failure_reason
from tests.virtual_time import on_virtual_time

MODEL_S = 10.0


def slow_plushify(*, model_s: float = MODEL_S, max_in_flight: int = 100, max_running: int = 1) -> InMemoryPlushify:
    """Return a process whose model takes `model_s` seconds per picture."""
    limits = Limits(max_in_flight=max_in_flight, max_running=max_running)
    return InMemoryPlushify(model=MemoryImageModel(delay_s=model_s), limits=limits)


async def make(plushify: InMemoryPlushify, user_id: str, *, photo: bytes = PHOTO, key: str | None = None) -> UUID:
    """Submit a photo and start its generation, as the web application does. Return its id."""
    with plushify.runner.reserve():
        generation = await plushify.submit(user_id, photo, key=key)
        if not generation.finished:
            plushify.runner.start(generation.id, user_id=user_id)
    return generation.id


async def end_of(plushify: InMemoryPlushify, generation_id: UUID) -> Generation:
    """Return the generation after its end."""
    user_id = (await plushify.row(generation_id)).user_id
    return await plushify.runner.wait(user_id, generation_id, timeout_s=3600)


async def seconds_until_its_end(plushify: InMemoryPlushify, generation_id: UUID) -> float:
    """Return the time from the submission of the generation to its end, in seconds."""
    ended = await end_of(plushify, generation_id)
    assert ended.completed_at is not None
    return (ended.completed_at - ended.created_at).total_seconds()


@on_virtual_time
async def test_users_are_served_round_robin() -> None:
    """The generation of a second user is run before the remaining ones of the first user."""
    plushify = slow_plushify()
    made = [await make(plushify, user_id) for user_id in ("ann", "ann", "ann", "bob")]
    assert [await seconds_until_its_end(plushify, generation_id) for generation_id in made] == [10, 20, 40, 30]


@on_virtual_time
async def test_reclaimed_generations_share_one_queue() -> None:
    """A new generation waits for the running one and for one reclaimed one, not for all reclaimed ones."""
    plushify = slow_plushify()
    for number in range(4):
        await plushify.submit(f"user {number}")
    await asyncio.sleep(plushify.limits.pending_lease_s)
    await plushify.sweeper.sweep_leases()
    assert await seconds_until_its_end(plushify, await make(plushify, "ann")) == 30


@on_virtual_time
async def test_runs_max_running_at_once() -> None:
    """Six generations in two slots take three times as long as one, and the model never has more than two."""
    plushify = slow_plushify(max_running=2)
    made = [await make(plushify, f"user {number}") for number in range(6)]
    await asyncio.sleep(1)
    assert len(plushify.model.requests) == 2
    assert [await seconds_until_its_end(plushify, one) for one in made] == [10, 10, 20, 20, 30, 30]


@on_virtual_time
async def test_refuses_above_max_in_flight() -> None:
    """A full process refuses without any change, and accepts again after the time that it named."""
    plushify = slow_plushify(max_in_flight=2, max_running=2)
    first = [await make(plushify, user_id) for user_id in ("ann", "bob")]
    blobs = dict(plushify.blobs.blobs)

    with pytest.raises(RateLimited) as refused:
        await make(plushify, "eve")

    assert (refused.value.reason, refused.value.retry_after_s) == (Reason.SERVER_BUSY, MODEL_S)
    assert (await plushify.entries("eve"), plushify.blobs.blobs) == ([], blobs)
    await end_of(plushify, first[0])
    assert await seconds_until_its_end(plushify, await make(plushify, "eve")) == MODEL_S


@on_virtual_time
async def test_refuses_generations_that_would_time_out() -> None:
    """With ten seconds per picture and a timeout of a minute, the seventh generation is refused."""
    plushify = slow_plushify()
    made = [await make(plushify, f"user {number}") for number in range(6)]
    with pytest.raises(RateLimited):
        await make(plushify, "eve")
    assert [(await end_of(plushify, one)).status for one in made[:5]] == [Status.SUCCEEDED] * 5


@on_virtual_time
async def test_retry_after_follows_the_run_time() -> None:
    """`retry_after_s` approaches the time that generations really take."""
    plushify = slow_plushify(model_s=3, max_in_flight=1)
    for number in range(40):
        await end_of(plushify, await make(plushify, f"user {number}"))
    await make(plushify, "ann")
    with pytest.raises(RateLimited) as refused:
        await make(plushify, "eve")
    assert refused.value.retry_after_s == 4  # slightly more than 3, in whole seconds


@on_virtual_time
async def test_capacity_is_released() -> None:
    """Refusals, replays and cancelled submissions keep no capacity."""
    plushify = slow_plushify(max_in_flight=2)
    one = await make(plushify, "ann", key="k")
    for _ in range(5):
        assert await make(plushify, "ann", key="k") == one
        with pytest.raises(InvalidInput):
            await make(plushify, "bob", photo=b"no photo")
        cancelled = asyncio.create_task(make(plushify, "bob"))
        asyncio.get_running_loop().call_soon(cancelled.cancel)
        await asyncio.wait({cancelled})
        assert cancelled.cancelled()
    await end_of(plushify, one)
    for _ in range(5):
        assert await make(plushify, "ann", key="k") == one

    assert await plushify.balance("bob") == 3
    await make(plushify, "bob")
    await make(plushify, "eve")


@on_virtual_time
async def test_reclaimed_generations_are_always_accepted() -> None:
    """A full process still runs reclaimed generations, which count for the refusal of others."""
    plushify = slow_plushify(max_in_flight=2)
    abandoned = [(await plushify.submit(f"user {number}")).id for number in range(3)]
    await asyncio.sleep(plushify.limits.pending_lease_s)
    await plushify.sweeper.sweep_leases()
    with pytest.raises(RateLimited):
        await make(plushify, "ann")
    assert {(await end_of(plushify, one)).status for one in abandoned} == {Status.SUCCEEDED}
    await make(plushify, "ann")


@on_virtual_time
async def test_timeout_in_the_queue() -> None:
    """A generation that gets no slot in time is refunded at its deadline, and the model is not called for it."""
    plushify = slow_plushify(model_s=55)
    async with plushify.running():
        made = [await make(plushify, user_id) for user_id in ("ann", "bob", "cat")]
        late = await end_of(plushify, made[2])
        assert (await end_of(plushify, made[0])).status is Status.SUCCEEDED
        calls = len(plushify.model.requests)

    assert (failure_reason(late), await plushify.balance("cat")) == (Reason.TIMEOUT, 3)
    assert late.completed_at is not None
    assert (late.completed_at - late.created_at).total_seconds() == pytest.approx(60, abs=2)
    assert calls == 1


@on_virtual_time
async def test_queued_generation_is_reclaimed_by_another_process() -> None:
    """Another process runs a generation that is still queued when its lease expires.

    `wait` of the first process returns the result. When its own slot is free, it does not call the model again.
    """
    plushify = slow_plushify(model_s=35)
    others = [await make(plushify, user_id) for user_id in ("ann", "ann", "ann", "bob")]
    await make(plushify, "cat")
    last = await make(plushify, "dan")
    idle_model = MemoryImageModel(delay_s=1)
    idle = plushify.another_process(idle_model, Limits(max_running=10))
    await asyncio.sleep(plushify.limits.pending_lease_s)
    await idle.sweeper.sweep_leases()
    ended = await plushify.runner.wait("dan", last, timeout_s=3600)

    assert ended.status is Status.SUCCEEDED
    assert asyncio.get_running_loop().time() < 25
    for one in others:
        assert (await end_of(plushify, one)).status is Status.SUCCEEDED
    await asyncio.sleep(60)
    assert len(plushify.model.requests) + len(idle_model.requests) == 6
    assert (await plushify.amounts("dan"), await plushify.amounts("bob")) == ([3, -1], [3, -1])


@on_virtual_time
async def test_shutdown_leaves_queued_generations_pending() -> None:
    """At a shutdown, running generations end, and the next process runs the queued ones."""
    plushify = slow_plushify()
    async with plushify.running():
        running, queued = [await make(plushify, user_id) for user_id in ("ann", "bob")]
        waiting = asyncio.create_task(plushify.runner.wait("bob", queued, timeout_s=3600))
        await asyncio.sleep(1)
        plushify.runner.stop()
        assert (await waiting).status is Status.PENDING
        with pytest.raises(RateLimited) as refused:
            await make(plushify, "eve")
    assert (refused.value.reason, refused.value.retry_after_s) == (Reason.SERVER_BUSY, 20)
    assert asyncio.get_running_loop().time() == MODEL_S
    assert (await plushify.row(running)).status is Status.SUCCEEDED
    assert (await plushify.row(queued)).status is Status.PENDING

    async with plushify.another_process().running():
        await asyncio.sleep(40)
    assert (await plushify.row(queued)).status is Status.SUCCEEDED
    assert (await plushify.amounts("bob"), len(plushify.model.requests)) == ([3, -1], 2)


@on_virtual_time
async def test_queued_generation_without_a_next_process() -> None:
    """If no process starts until the deadline, the first sweep afterwards refunds the queued generation."""
    plushify = slow_plushify()
    async with plushify.running():
        await make(plushify, "ann")
        queued = await make(plushify, "bob")
    await asyncio.sleep(86_400)
    await plushify.another_process().sweeper.sweep_leases()
    assert (await plushify.row(queued)).status is Status.FAILED
    assert (await plushify.amounts("bob"), len(plushify.model.requests)) == ([3, -1, 1], 1)
