"""Fair slots: users are served round robin, and no slot is lost."""

import asyncio

from plushify_core.worker.fair_slots import FairSlots
from tests.virtual_time import on_virtual_time


async def work(slots: FairSlots, user_id: str, served: list[str]) -> None:
    """Wait for a slot, record the user, and hold the slot for ten seconds."""
    assert await slots.acquire(user_id, timeout_s=3600)
    served.append(user_id)
    await asyncio.sleep(10)
    slots.release()


@on_virtual_time
async def test_users_are_served_round_robin() -> None:
    """A user with one late request waits for at most one request of each other user."""
    slots, served = FairSlots(1), list[str]()
    await asyncio.gather(*(work(slots, user_id, served) for user_id in ["ann"] * 5 + ["bob"] * 3 + ["eve"]))
    assert served == ["ann", "ann", "bob", "eve", "ann", "bob", "ann", "bob", "ann"]


@on_virtual_time
async def test_number_of_slots() -> None:
    """Seven requests of ten seconds each take thirty seconds in three slots."""
    slots = FairSlots(3)
    await asyncio.gather(*(work(slots, user_id, []) for user_id in "abcdefg"))
    assert asyncio.get_running_loop().time() == 30


@on_virtual_time
async def test_requests_that_stop_waiting() -> None:
    """A request that times out or is cancelled keeps no slot, also if it is cancelled when it gets one."""
    slots = FairSlots(1)
    assert await slots.acquire("ann", timeout_s=1)
    assert await slots.acquire("bob", timeout_s=1) is False
    waiting = [asyncio.create_task(slots.acquire(user_id, timeout_s=60)) for user_id in ("bob", "cat", "dan")]
    await asyncio.sleep(1)
    waiting[0].cancel()
    await asyncio.sleep(1)
    slots.release()  # grants the slot to cat
    waiting[1].cancel()  # before the task of cat has seen it
    assert await waiting[2] is True

    slots.release()
    assert await slots.acquire("eve", timeout_s=1) is True


@on_virtual_time
async def test_slot_at_the_moment_of_the_timeout() -> None:
    """A slot that is released at the moment of a timeout is either acquired or passed on."""
    slots = FairSlots(1)
    assert await slots.acquire("ann", timeout_s=1)
    asyncio.get_running_loop().call_later(5, slots.release)
    if await slots.acquire("bob", timeout_s=5):
        slots.release()
    assert await slots.acquire("eve", timeout_s=1) is True
