"""An event loop whose clock jumps to the next timer instead of waiting for it.

Everything of asyncio that waits (`sleep`, `wait`, `timeout`, `call_later`) runs on it unchanged. A test of a minute
takes microseconds, and takes the same course each time: nothing depends on how fast the machine is.
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
    """Every task waits for something that nothing will ever bring about."""


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """A loop without input or output: nothing but tasks and timers, in the order of virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._selector = self  # the base class waits by `self._selector.select(timeout)`
        self._clock_resolution = 1e-6

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now_s

    def select(self, timeout: float | None) -> tuple[()]:
        """Wait for input: there is none, so `timeout` seconds are over at once."""
        if timeout is None:
            raise Deadlock
        self._now_s += timeout
        return ()

    def _process_events(self, event_list: tuple[()]) -> None:
        """The base class hands over what `select` returned: nothing."""

    def _write_to_self(self) -> None:
        """The base class wakes a waiting selector by this: this one never waits."""


def now() -> datetime:
    """The time on the running loop, as a `Clock`."""
    return EPOCH + timedelta(seconds=asyncio.get_running_loop().time())


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def on_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make an ordinary test of a coroutine."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return wrapper
