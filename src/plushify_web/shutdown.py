"""Early notice of a shutdown.

An ASGI server ends the lifespan only after every open request was answered. Requests that wait for a generation must be
notified before that, or the shutdown waits for them.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_shutdown_signal(react: Callable[[], None]) -> Iterator[None]:
    """Call `react` in the running event loop when the process gets SIGINT or SIGTERM while the block is open.

    The previous signal handlers are still called. Only the main thread can handle signals, so in another thread this
    does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(react)
        earlier = before[signal.Signals(number)]
        if callable(earlier):
            earlier(number, frame)

    for number in SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
