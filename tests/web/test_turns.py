"""Users take turns."""

import asyncio

from plushify_web.turns import Turns
from tests.virtual_time import on_virtual_time


async def work(turns: Turns, user_id: str, served: list[str]) -> None:
    """Ten seconds of it."""
    assert await turns.take(user_id, timeout_s=3600)
    served.append(user_id)
    await asyncio.sleep(10)
    turns.give_back()


@on_virtual_time
async def test_lines_are_served_in_rotation() -> None:
    """Who comes late with one request waits for one of each other user, not for all that came before."""
    turns, served = Turns(1), list[str]()
    await asyncio.gather(*(work(turns, user_id, served) for user_id in ["ann"] * 5 + ["bob"] * 3 + ["eve"]))
    assert served == ["ann", "ann", "bob", "eve", "ann", "bob", "ann", "bob", "ann"]


@on_virtual_time
async def test_so_many_at_once() -> None:
    """Seven times ten seconds, three at once, take thirty."""
    turns = Turns(3)
    await asyncio.gather(*(work(turns, user_id, []) for user_id in "abcdefg"))
    assert asyncio.get_running_loop().time() == 30


@on_virtual_time
async def test_who_gives_up_loses_nobody_a_turn() -> None:
    """Whoever has waited long enough, or is cancelled, is passed over; also in the moment in which its turn comes."""
    turns = Turns(1)
    assert await turns.take("ann", timeout_s=1)
    assert await turns.take("bob", timeout_s=1) is False
    waiting = [asyncio.create_task(turns.take(user_id, timeout_s=60)) for user_id in ("bob", "cat", "dan")]
    await asyncio.sleep(1)
    waiting[0].cancel()
    await asyncio.sleep(1)
    turns.give_back()  # to cat
    waiting[1].cancel()  # who does not know it yet
    assert await waiting[2] is True

    turns.give_back()
    assert await turns.take("eve", timeout_s=1) is True


@on_virtual_time
async def test_a_turn_that_comes_with_the_last_second_is_taken() -> None:
    """Time is over and the turn there in the same moment: it is either had or passed on, never lost."""
    turns = Turns(1)
    assert await turns.take("ann", timeout_s=1)
    asyncio.get_running_loop().call_later(5, turns.give_back)
    if await turns.take("bob", timeout_s=5):
        turns.give_back()
    assert await turns.take("eve", timeout_s=1) is True
