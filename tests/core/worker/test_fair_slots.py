"""Users take turns."""

import asyncio

from plushify_core.worker.fair_slots import FairSlots
from tests.virtual_time import on_virtual_time


async def work(slots: FairSlots, user_id: str, served: list[str]) -> None:
    """Ten seconds of it."""
    assert await slots.acquire(user_id, timeout_s=3600)
    served.append(user_id)
    await asyncio.sleep(10)
    slots.release()


@on_virtual_time
async def test_lines_are_served_in_rotation() -> None:
    """Who comes late with one request waits for one of each other user, not for all that came before."""
    slots, served = FairSlots(1), list[str]()
    await asyncio.gather(*(work(slots, user_id, served) for user_id in ["ann"] * 5 + ["bob"] * 3 + ["eve"]))
    assert served == ["ann", "ann", "bob", "eve", "ann", "bob", "ann", "bob", "ann"]


@on_virtual_time
async def test_so_many_at_once() -> None:
    """Seven times ten seconds, three at once, take thirty."""
    slots = FairSlots(3)
    await asyncio.gather(*(work(slots, user_id, []) for user_id in "abcdefg"))
    assert asyncio.get_running_loop().time() == 30


@on_virtual_time
async def test_who_gives_up_loses_nobody_a_turn() -> None:
    """Whoever has waited long enough, or is cancelled, is passed over; also in the moment in which its turn comes."""
    slots = FairSlots(1)
    assert await slots.acquire("ann", timeout_s=1)
    assert await slots.acquire("bob", timeout_s=1) is False
    waiting = [asyncio.create_task(slots.acquire(user_id, timeout_s=60)) for user_id in ("bob", "cat", "dan")]
    await asyncio.sleep(1)
    waiting[0].cancel()
    await asyncio.sleep(1)
    slots.release()  # to cat
    waiting[1].cancel()  # who does not know it yet
    assert await waiting[2] is True

    slots.release()
    assert await slots.acquire("eve", timeout_s=1) is True


@on_virtual_time
async def test_a_turn_that_comes_with_the_last_second_is_taken() -> None:
    """Time is over and the turn there in the same moment: it is either had or passed on, never lost."""
    slots = FairSlots(1)
    assert await slots.acquire("ann", timeout_s=1)
    asyncio.get_running_loop().call_later(5, slots.release)
    if await slots.acquire("bob", timeout_s=5):
        slots.release()
    assert await slots.acquire("eve", timeout_s=1) is True
