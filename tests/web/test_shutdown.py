"""Hearing of a shutdown."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from plushify_web.shutdown import SIGNALS, on_shutdown_signal

pytestmark = pytest.mark.anyio


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """What whoever listened before us hears."""
    heard: list[int] = []
    before = {number: signal.signal(number, lambda number, _: heard.append(number)) for number in SIGNALS}
    yield heard
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
async def test_both_listeners_hear_it(heard: list[int], number: signal.Signals) -> None:
    """We hear of a shutdown, and so does the server that listened before; afterwards it alone does."""
    told = asyncio.Event()
    with on_shutdown_signal(told.set):
        signal.raise_signal(number)
        await told.wait()
    told.clear()
    signal.raise_signal(number)
    await asyncio.sleep(0)

    assert heard == [number, number]
    assert not told.is_set()


async def test_outside_the_main_thread_it_does_nothing(heard: list[int]) -> None:
    """A loop in another thread cannot listen, and works without."""

    async def inside() -> None:
        with on_shutdown_signal(lambda: None):
            assert signal.getsignal(signal.SIGTERM) is before

    before = signal.getsignal(signal.SIGTERM)
    await asyncio.to_thread(asyncio.run, inside())
    assert heard == []
