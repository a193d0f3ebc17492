"""Early notice of a shutdown."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from plushify_web.shutdown import SIGNALS, on_shutdown_signal

pytestmark = pytest.mark.anyio


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """Install signal handlers as the server does, and return the signals that they have received."""
    handled: list[int] = []
    before = {number: signal.signal(number, lambda number, _: handled.append(number)) for number in SIGNALS}
    yield handled
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
async def test_calls_both_handlers(handled: list[int], number: signal.Signals) -> None:
    """A signal calls our function and the previous handler. After the block it calls only the previous handler."""
    notified = asyncio.Event()
    with on_shutdown_signal(notified.set):
        signal.raise_signal(number)
        await notified.wait()
    notified.clear()
    signal.raise_signal(number)
    await asyncio.sleep(0)

    assert handled == [number, number]
    assert not notified.is_set()


async def test_does_nothing_outside_the_main_thread(handled: list[int]) -> None:
    """In another thread, which cannot handle signals, the handlers stay as they are."""

    async def inside() -> None:
        with on_shutdown_signal(lambda: None):
            assert signal.getsignal(signal.SIGTERM) is before

    before = signal.getsignal(signal.SIGTERM)
    await asyncio.to_thread(asyncio.run, inside())
    assert handled == []
