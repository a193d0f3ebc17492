"""What a process takes in, whose turn it is, and what becomes of those that wait: on virtual time."""

import asyncio
from uuid import UUID

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Generation, InvalidInput, RateLimited, Reason, Status
from plushify_web.runner import Runner
from tests.house import PHOTO, House
from tests.virtual_time import on_virtual_time

MODEL_S = 10.0


def slow_house() -> House:
    """A house whose model takes its time."""
    return House(model=MemoryImageModel(delay_s=MODEL_S))


def runner_of(house: House, *, max_in_flight: int = 100, max_running: int = 1, drain_s: float = 20) -> Runner:
    """A process at work in this house."""
    return Runner(
        generate=house.generate,
        gallery=house.gallery,
        recover=house.recover,
        timeout_s=house.limits.timeout_s,
        max_in_flight=max_in_flight,
        max_running=max_running,
        sweep_interval_s=10,
        drain_s=drain_s,
    )


async def make(house: House, runner: Runner, user_id: str, *, photo: bytes = PHOTO, key: str | None = None) -> UUID:
    """Submit and start, as the web does."""
    with runner.place():
        generation = await house.submit(user_id, photo, key=key)
        if not generation.finished:
            runner.start(generation.id, user_id=user_id)
    return generation.id


async def end_of(house: House, runner: Runner, generation_id: UUID) -> Generation:
    """The generation at its end."""
    user_id = (await house.row(generation_id)).user_id
    return await runner.wait(user_id, generation_id, timeout_s=3600)


async def seconds_until_its_end(house: House, runner: Runner, generation_id: UUID) -> float:
    """When it ended, in seconds since it was submitted."""
    ended = await end_of(house, runner, generation_id)
    assert ended.completed_at is not None
    return (ended.completed_at - ended.created_at).total_seconds()


@on_virtual_time
async def test_nobody_waits_for_all_of_somebody_else() -> None:
    """Three of one user's come first; the one of another, sent last, is the second to be made."""
    house = slow_house()
    runner = runner_of(house)
    made = [await make(house, runner, user_id) for user_id in ("ann", "ann", "ann", "bob")]
    assert [await seconds_until_its_end(house, runner, generation_id) for generation_id in made] == [10, 20, 40, 30]


@on_virtual_time
async def test_a_sweep_does_not_get_in_the_way() -> None:
    """What a sweep takes over waits for its turn like one user's: whoever comes next waits for what runs and for one
    more, not for all of it."""
    house = slow_house()
    for number in range(4):
        await house.submit(f"user {number} of a process that died")
    await asyncio.sleep(house.limits.pending_lease_s)
    runner = runner_of(house)
    await runner.sweep()
    assert await seconds_until_its_end(house, runner, await make(house, runner, "ann")) == 30


@on_virtual_time
async def test_so_many_run_at_once() -> None:
    """Six generations, two at once, take three times as long as one; and no more than two are ever at the model."""
    house = slow_house()
    runner = runner_of(house, max_running=2)
    made = [await make(house, runner, f"user {number}") for number in range(6)]
    await asyncio.sleep(1)
    assert len(house.model.requests) == 2
    assert [await seconds_until_its_end(house, runner, one) for one in made] == [10, 10, 20, 20, 30, 30]


@on_virtual_time
async def test_a_full_process_refuses_before_anything_moves() -> None:
    """Beyond `max_in_flight` there is no account opened, no credit taken and no byte stored; there is a place again
    when the first generation has ended, which is after the time that was named."""
    house = slow_house()
    runner = runner_of(house, max_in_flight=2, max_running=2)
    first = [await make(house, runner, user_id) for user_id in ("ann", "bob")]
    blobs = dict(house.blobs.blobs)

    with pytest.raises(RateLimited) as refused:
        await make(house, runner, "eve")

    assert (refused.value.reason, refused.value.retry_after_s) == (Reason.SERVER_BUSY, MODEL_S)
    assert (await house.entries("eve"), house.blobs.blobs) == ([], blobs)
    await end_of(house, runner, first[0])
    assert await seconds_until_its_end(house, runner, await make(house, runner, "eve")) == MODEL_S


@on_virtual_time
async def test_who_cannot_be_served_in_time_is_refused() -> None:
    """With ten seconds each, one at a time, six are done within a minute; a seventh learns at once that it cannot."""
    house = slow_house()
    runner = runner_of(house)
    made = [await make(house, runner, f"user {number}") for number in range(6)]
    with pytest.raises(RateLimited):
        await make(house, runner, "eve")
    assert [(await end_of(house, runner, one)).status for one in made[:5]] == [Status.SUCCEEDED] * 5


@on_virtual_time
async def test_the_time_that_is_named_is_learnt() -> None:
    """`retry_after_s` follows what generations take, whatever that is."""
    house = House(model=MemoryImageModel(delay_s=3))
    runner = runner_of(house, max_in_flight=1)
    for number in range(40):
        await end_of(house, runner, await make(house, runner, f"user {number}"))
    await make(house, runner, "ann")
    with pytest.raises(RateLimited) as refused:
        await make(house, runner, "eve")
    assert refused.value.retry_after_s == 4  # 3 and a little, in whole seconds


@on_virtual_time
async def test_every_way_out_gives_the_place_back() -> None:
    """A refusal, a replay of what runs, a replay of what is done, and a submission that is cancelled keep no place."""
    house = slow_house()
    runner = runner_of(house, max_in_flight=2)
    one = await make(house, runner, "ann", key="k")
    for _ in range(5):
        assert await make(house, runner, "ann", key="k") == one
        with pytest.raises(InvalidInput):
            await make(house, runner, "bob", photo=b"no photo")
        cancelled = asyncio.create_task(make(house, runner, "bob"))
        asyncio.get_running_loop().call_soon(cancelled.cancel)
        await asyncio.wait({cancelled})
        assert cancelled.cancelled()
    await end_of(house, runner, one)
    for _ in range(5):
        assert await make(house, runner, "ann", key="k") == one

    assert await house.balance("bob") == 3
    await make(house, runner, "bob")
    await make(house, runner, "eve")


@on_virtual_time
async def test_what_a_sweep_takes_over_counts_and_is_never_refused() -> None:
    """A process that is full takes over all the same; whoever comes then is refused until there is a place."""
    house = slow_house()
    abandoned = [(await house.submit(f"user {number}")).id for number in range(3)]
    await asyncio.sleep(house.limits.pending_lease_s)
    runner = runner_of(house, max_in_flight=2)
    await runner.sweep()
    with pytest.raises(RateLimited):
        await make(house, runner, "ann")
    assert {(await end_of(house, runner, one)).status for one in abandoned} == {Status.SUCCEEDED}
    await make(house, runner, "ann")


@on_virtual_time
async def test_what_waits_too_long_is_refunded_on_time() -> None:
    """Who has no turn while there is time for a picture gets none: it fails by timeout when its time is over, refunded,
    and no call is paid for nothing."""
    house = House(model=MemoryImageModel(delay_s=55))
    runner = runner_of(house)
    async with runner.running():
        made = [await make(house, runner, user_id) for user_id in ("ann", "bob", "cat")]
        late = await end_of(house, runner, made[2])
        assert (await end_of(house, runner, made[0])).status is Status.SUCCEEDED
        calls = len(house.model.requests)

    assert late.failure is not None
    assert (late.failure.reason, await house.balance("cat")) == (Reason.TIMEOUT, 3)
    assert late.completed_at is not None
    assert (late.completed_at - late.created_at).total_seconds() == pytest.approx(60, abs=2)
    assert calls == 1


@on_virtual_time
async def test_another_replica_takes_over_what_waits() -> None:
    """A generation that waits here past its lease is made by a replica that has a turn for it; who waits for it here
    has the picture when it is there. When its turn comes here, nothing happens: there was one call and one charge."""
    house = House(model=MemoryImageModel(delay_s=35))
    busy = runner_of(house)
    others = [await make(house, busy, "ann") for _ in range(3)]
    waiting = await make(house, busy, "bob")
    await make(house, busy, "cat")
    last = await make(house, busy, "dan")
    idle = House(store=house.store, blobs=house.blobs, model=MemoryImageModel(delay_s=1))
    await asyncio.sleep(house.limits.pending_lease_s)
    await runner_of(idle, max_running=10).sweep()
    ended = await busy.wait("dan", last, timeout_s=3600)

    assert ended.status is Status.SUCCEEDED
    assert asyncio.get_running_loop().time() < 25
    for one in [*others, waiting]:
        assert (await end_of(house, busy, one)).status is Status.SUCCEEDED
    await asyncio.sleep(60)
    assert len(house.model.requests) + len(idle.model.requests) == 6
    assert (await house.amounts("dan"), await house.amounts("bob")) == ([3, -1], [3, -1])


@on_virtual_time
async def test_a_shutdown_leaves_what_waits_to_whoever_comes_next() -> None:
    """What runs comes to its end, what waits stays as it is; the next process makes it when its lease is over."""
    house = slow_house()
    stopping = runner_of(house)
    async with stopping.running():
        runs, waits = [await make(house, stopping, user_id) for user_id in ("ann", "bob")]
        asked = asyncio.create_task(stopping.wait("bob", waits, timeout_s=3600))
        await asyncio.sleep(1)
        stopping.stop()
        assert (await asked).status is Status.PENDING  # not a word about an end that is not there
        with pytest.raises(RateLimited) as refused:
            await make(house, stopping, "eve")
    assert (refused.value.reason, refused.value.retry_after_s) == (Reason.SERVER_BUSY, 20)
    assert asyncio.get_running_loop().time() == MODEL_S
    assert (await house.row(runs)).status is Status.SUCCEEDED
    assert (await house.row(waits)).status is Status.PENDING

    async with runner_of(house).running():
        await asyncio.sleep(40)
    assert (await house.row(waits)).status is Status.SUCCEEDED
    assert (await house.amounts("bob"), len(house.model.requests)) == ([3, -1], 2)


@on_virtual_time
async def test_a_shutdown_without_a_next_process_costs_nobody_anything() -> None:
    """Where nobody comes for it in time, the first sweep of the next start refunds what waited."""
    house = slow_house()
    stopping = runner_of(house)
    async with stopping.running():
        await make(house, stopping, "ann")
        waits = await make(house, stopping, "bob")
    await asyncio.sleep(86_400)
    await runner_of(house).sweep()
    assert (await house.row(waits)).status is Status.FAILED
    assert (await house.amounts("bob"), len(house.model.requests)) == ([3, -1, 1], 1)
