"""What a process takes in, whose turn it is, and what becomes of those that wait: on virtual time."""

import asyncio
from uuid import UUID

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Generation, InvalidInput, Limits, RateLimited, Reason, Status
from tests.in_memory import PHOTO, InMemoryPlushify
from tests.virtual_time import on_virtual_time

MODEL_S = 10.0


def slow_plushify(*, model_s: float = MODEL_S, max_in_flight: int = 100, max_running: int = 1) -> InMemoryPlushify:
    """Return a process whose model takes `model_s` seconds per picture."""
    limits = Limits(max_in_flight=max_in_flight, max_running=max_running)
    return InMemoryPlushify(model=MemoryImageModel(delay_s=model_s), limits=limits)


async def make(plushify: InMemoryPlushify, user_id: str, *, photo: bytes = PHOTO, key: str | None = None) -> UUID:
    """Submit and start, as the web does."""
    with plushify.runner.reserve():
        generation = await plushify.submit(user_id, photo, key=key)
        if not generation.finished:
            plushify.runner.start(generation.id, user_id=user_id)
    return generation.id


async def end_of(plushify: InMemoryPlushify, generation_id: UUID) -> Generation:
    """The generation at its end."""
    user_id = (await plushify.row(generation_id)).user_id
    return await plushify.runner.wait(user_id, generation_id, timeout_s=3600)


async def seconds_until_its_end(plushify: InMemoryPlushify, generation_id: UUID) -> float:
    """When it ended, in seconds since it was submitted."""
    ended = await end_of(plushify, generation_id)
    assert ended.completed_at is not None
    return (ended.completed_at - ended.created_at).total_seconds()


@on_virtual_time
async def test_nobody_waits_for_all_of_somebody_else() -> None:
    """Three of one user's come first; the one of another, sent last, is the second to be made."""
    plushify = slow_plushify()
    made = [await make(plushify, user_id) for user_id in ("ann", "ann", "ann", "bob")]
    assert [await seconds_until_its_end(plushify, generation_id) for generation_id in made] == [10, 20, 40, 30]


@on_virtual_time
async def test_a_sweep_does_not_get_in_the_way() -> None:
    """What a sweep takes over waits for its turn like one user's: whoever comes next waits for what runs and for one
    more, not for all of it."""
    plushify = slow_plushify()
    for number in range(4):
        await plushify.submit(f"user {number} of a process that died")
    await asyncio.sleep(plushify.limits.pending_lease_s)
    await plushify.sweeper.sweep_leases()
    assert await seconds_until_its_end(plushify, await make(plushify, "ann")) == 30


@on_virtual_time
async def test_so_many_run_at_once() -> None:
    """Six generations, two at once, take three times as long as one; and no more than two are ever at the model."""
    plushify = slow_plushify(max_running=2)
    made = [await make(plushify, f"user {number}") for number in range(6)]
    await asyncio.sleep(1)
    assert len(plushify.model.requests) == 2
    assert [await seconds_until_its_end(plushify, one) for one in made] == [10, 10, 20, 20, 30, 30]


@on_virtual_time
async def test_a_full_process_refuses_before_anything_moves() -> None:
    """Beyond `max_in_flight` there is no account opened, no credit taken and no byte stored; there is a place again
    when the first generation has ended, which is after the time that was named."""
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
async def test_who_cannot_be_served_in_time_is_refused() -> None:
    """With ten seconds each, one at a time, six are done within a minute; a seventh learns at once that it cannot."""
    plushify = slow_plushify()
    made = [await make(plushify, f"user {number}") for number in range(6)]
    with pytest.raises(RateLimited):
        await make(plushify, "eve")
    assert [(await end_of(plushify, one)).status for one in made[:5]] == [Status.SUCCEEDED] * 5


@on_virtual_time
async def test_the_time_that_is_named_is_learnt() -> None:
    """`retry_after_s` follows what generations take, whatever that is."""
    plushify = slow_plushify(model_s=3, max_in_flight=1)
    for number in range(40):
        await end_of(plushify, await make(plushify, f"user {number}"))
    await make(plushify, "ann")
    with pytest.raises(RateLimited) as refused:
        await make(plushify, "eve")
    assert refused.value.retry_after_s == 4  # 3 and a little, in whole seconds


@on_virtual_time
async def test_every_way_out_gives_the_place_back() -> None:
    """A refusal, a replay of what runs, a replay of what is done, and a submission that is cancelled keep no place."""
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
async def test_what_a_sweep_takes_over_counts_and_is_never_refused() -> None:
    """A process that is full takes over all the same; whoever comes then is refused until there is a place."""
    plushify = slow_plushify(max_in_flight=2)
    abandoned = [(await plushify.submit(f"user {number}")).id for number in range(3)]
    await asyncio.sleep(plushify.limits.pending_lease_s)
    await plushify.sweeper.sweep_leases()
    with pytest.raises(RateLimited):
        await make(plushify, "ann")
    assert {(await end_of(plushify, one)).status for one in abandoned} == {Status.SUCCEEDED}
    await make(plushify, "ann")


@on_virtual_time
async def test_what_waits_too_long_is_refunded_on_time() -> None:
    """Who has no turn while there is time for a picture gets none: it fails by timeout when its time is over, refunded,
    and no call is paid for nothing."""
    plushify = slow_plushify(model_s=55)
    async with plushify.running():
        made = [await make(plushify, user_id) for user_id in ("ann", "bob", "cat")]
        late = await end_of(plushify, made[2])
        assert (await end_of(plushify, made[0])).status is Status.SUCCEEDED
        calls = len(plushify.model.requests)

    assert late.failure is not None
    assert (late.failure.reason, await plushify.balance("cat")) == (Reason.TIMEOUT, 3)
    assert late.completed_at is not None
    assert (late.completed_at - late.created_at).total_seconds() == pytest.approx(60, abs=2)
    assert calls == 1


@on_virtual_time
async def test_another_replica_takes_over_what_waits() -> None:
    """A generation that waits here past its lease is made by a replica that has a turn for it; who waits for it here
    has the picture when it is there. When its turn comes here, nothing happens: there was one call and one charge."""
    plushify = slow_plushify(model_s=35)
    others = [await make(plushify, "ann") for _ in range(3)]
    waiting = await make(plushify, "bob")
    await make(plushify, "cat")
    last = await make(plushify, "dan")
    idle_model = MemoryImageModel(delay_s=1)
    idle = plushify.another_process(idle_model, Limits(max_running=10))
    await asyncio.sleep(plushify.limits.pending_lease_s)
    await idle.sweeper.sweep_leases()
    ended = await plushify.runner.wait("dan", last, timeout_s=3600)

    assert ended.status is Status.SUCCEEDED
    assert asyncio.get_running_loop().time() < 25
    for one in [*others, waiting]:
        assert (await end_of(plushify, one)).status is Status.SUCCEEDED
    await asyncio.sleep(60)
    assert len(plushify.model.requests) + len(idle_model.requests) == 6
    assert (await plushify.amounts("dan"), await plushify.amounts("bob")) == ([3, -1], [3, -1])


@on_virtual_time
async def test_a_shutdown_leaves_what_waits_to_whoever_comes_next() -> None:
    """What runs comes to its end, what waits stays as it is; the next process makes it when its lease is over."""
    plushify = slow_plushify()
    async with plushify.running():
        runs, waits = [await make(plushify, user_id) for user_id in ("ann", "bob")]
        asked = asyncio.create_task(plushify.runner.wait("bob", waits, timeout_s=3600))
        await asyncio.sleep(1)
        plushify.runner.stop()
        assert (await asked).status is Status.PENDING  # not a word about an end that is not there
        with pytest.raises(RateLimited) as refused:
            await make(plushify, "eve")
    assert (refused.value.reason, refused.value.retry_after_s) == (Reason.SERVER_BUSY, 20)
    assert asyncio.get_running_loop().time() == MODEL_S
    assert (await plushify.row(runs)).status is Status.SUCCEEDED
    assert (await plushify.row(waits)).status is Status.PENDING

    async with plushify.another_process().running():
        await asyncio.sleep(40)
    assert (await plushify.row(waits)).status is Status.SUCCEEDED
    assert (await plushify.amounts("bob"), len(plushify.model.requests)) == ([3, -1], 2)


@on_virtual_time
async def test_a_shutdown_without_a_next_process_costs_nobody_anything() -> None:
    """Where nobody comes for it in time, the first sweep of the next start refunds what waited."""
    plushify = slow_plushify()
    async with plushify.running():
        await make(plushify, "ann")
        waits = await make(plushify, "bob")
    await asyncio.sleep(86_400)
    await plushify.another_process().sweeper.sweep_leases()
    assert (await plushify.row(waits)).status is Status.FAILED
    assert (await plushify.amounts("bob"), len(plushify.model.requests)) == ([3, -1, 1], 1)
