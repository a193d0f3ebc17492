"""Time limits hold even if the work ignores its cancellation."""

import asyncio
from contextlib import suppress

import pytest

from plushify_core.worker.time_limits import cancel_within, run_within
from tests.virtual_time import on_virtual_time


async def stubborn(until: asyncio.Event) -> str:
    """Ignore each cancellation until the event is set."""
    while not until.is_set():
        with suppress(asyncio.CancelledError):
            await until.wait()
    return "ended"


@on_virtual_time
async def test_returns_the_result() -> None:
    """Work that ends in time gives its result, or raises its exception."""
    over = asyncio.Event()
    over.set()
    assert await run_within(1, stubborn(over)) == "ended"
    with pytest.raises(OSError, match="no route"):
        await run_within(1, fail(0))


@on_virtual_time
async def test_does_not_wait_for_work_that_ignores_its_cancellation() -> None:
    """At the limit the caller goes on, although the work does not end. A late error of the work is not reported."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError):
        await run_within(3, stubborn(over))
    assert loop.time() == pytest.approx(began + 3)
    over.set()


@on_virtual_time
async def test_a_cancelled_caller_does_not_wait() -> None:
    """If the caller is cancelled, the work is cancelled too and not waited for."""
    over = asyncio.Event()
    caller = asyncio.create_task(run_within(60, stubborn(over)))
    await asyncio.sleep(1)
    caller.cancel()
    _, pending = await asyncio.wait({caller}, timeout=1)
    assert not pending
    assert caller.cancelled()
    over.set()


@on_virtual_time
async def test_cancels_within_a_limit() -> None:
    """`cancel_within` reports whether all tasks have ended."""
    over = asyncio.Event()
    tasks = [asyncio.create_task(stubborn(over)), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    assert not await cancel_within(1, tasks)
    assert tasks[1].cancelled()
    over.set()
    assert await cancel_within(1, tasks)
    assert await cancel_within(1, [])


async def fail(seconds: float) -> None:
    """Raise an error after some time."""
    await asyncio.sleep(seconds)
    raise OSError("no route")
