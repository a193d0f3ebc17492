"""Event loop whose clock jumps to the next timer instead of waiting for it.

`asyncio.sleep`, `wait`, `timeout` and `call_later` work on it unchanged. A test of one minute takes microseconds, and
runs in the same order each time, because nothing depends on the speed of the machine.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Deadlock(Exception):
    """State in which every task waits and no timer is left, so no task can ever continue."""


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """Event loop without input and output: it runs tasks and timers in the order of virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._selector = self  # the base class calls `self._selector.select(timeout)` to wait
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Return the virtual time since the creation of the loop, in seconds."""
        return self._now_s

    def select(self, timeout: float | None) -> tuple[()]:
        """Advance the virtual time by `timeout` seconds. There is no input to return.

        Raises:
            Deadlock: `timeout` is None, so the base class would wait forever.
        """
        if timeout is None:
            raise Deadlock
        self._now_s += timeout
        return ()

    def _process_events(self, event_list: tuple[()]) -> None:
        """Do nothing: `select` returns no events."""

    def _write_to_self(self) -> None:
        """Do nothing: `select` never blocks, so it need not be woken."""


def now() -> datetime:
    """Return the virtual time of the running loop. It is a `Clock`."""
    return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on virtual time, as `asyncio.run` does on real time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def on_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Decorate a coroutine function to be a synchronous test that runs on virtual time."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return wrapper
