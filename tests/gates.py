"""Gates between a process and its ports, where a test can stop the process.

A process has effects only through its ports. If every call to a port fails, the process has the same effect as one that
has died, although its coroutines still unwind.
"""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Protocol, TypeVar, cast

from plushify_core.ports import BlobStore, Clock, Events, ImageModel, Store, Transaction

Port = TypeVar("Port", BlobStore, Events, ImageModel)

last_read: ContextVar[str] = ContextVar("last_read")
"""Key of the blob that this task read last. It tells a test model which generation it draws."""


class PowerCut(BaseException):
    """Death of the process. It is not an `Exception`, so no handler of the dead process continues to work."""


class Gate(Protocol):
    """Hooks around each call to a port. Both may raise."""

    async def before(self, call: str) -> None:
        """Run before the call takes effect."""
        ...

    async def after(self, call: str) -> None:
        """Run after the call has taken effect."""
        ...


class Fuse:
    """Gate at which a process dies, or freezes for a while as on a suspended machine.

    Each call has two passages: before its effect and after it.

    Args:
        blows_at: number of the passage at which the process dies or freezes, counted from 0; None: never.
        freeze_s: duration of the freeze, in seconds; None: the process dies.
        among: text in the names of the passages that are counted.
    """

    def __init__(self, blows_at: int | None = None, freeze_s: float | None = None, *, among: str = "") -> None:
        self.passages: list[str] = []
        self.cut = False
        self._blows_at = blows_at
        self._freeze_s = freeze_s
        self._among = among
        self._frozen_until_s = 0.0

    async def before(self, call: str) -> None:
        """Pass the gate before the effect of the call."""
        await self._pass(f"before {call}")

    async def after(self, call: str) -> None:
        """Pass the gate after the effect of the call."""
        await self._pass(f"after {call}")

    async def _pass(self, passage: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._among in passage:
            if len(self.passages) == self._blows_at:
                self.cut = self._freeze_s is None
                self._frozen_until_s = now_s + (self._freeze_s or 0)
            self.passages.append(passage)
        if now_s < self._frozen_until_s:
            cancelled = await sleep_despite_cancellation(self._frozen_until_s - now_s)
            if cancelled and not self.cut:
                raise asyncio.CancelledError  # a frozen process receives its cancellation when it continues
        if self.cut:
            raise PowerCut


async def sleep_despite_cancellation(seconds: float) -> bool:
    """Sleep for the whole time even if cancelled meanwhile. Return whether the task was cancelled."""
    loop = asyncio.get_running_loop()
    ends_s, cancelled = loop.time() + seconds, False
    while (left_s := ends_s - loop.time()) > 0:
        try:
            await asyncio.sleep(left_s)
        except asyncio.CancelledError:
            cancelled = True
    return cancelled


class GatedStore(Store):
    """Store whose transactions pass a gate, and every call within them.

    Args:
        store: the store.
        gate: gate to pass.
        clock: time of the store, if a test sets it. Otherwise, it is that of `store`.
    """

    def __init__(self, store: Store, gate: Gate, *, clock: Clock | None = None) -> None:
        self._store = store
        self._gate = gate
        self._clock = clock

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Return a gated transaction.

        If the gate raises before the commit, it rolls back. If the gate raises after it, the caller sees an error
        although the changes are committed.
        """
        await self._gate.before("begin")
        async with self._store.begin() as tx:
            yield cast(Transaction, _GatedTransaction(tx, self._gate, self._clock))
            await self._gate.before("commit")
        await self._gate.after("commit")


class _GatedTransaction:
    def __init__(self, tx: Transaction, gate: Gate, clock: Clock | None) -> None:
        self._tx = tx
        self._gate = gate
        self._clock = clock

    async def now(self) -> datetime:
        return self._clock() if self._clock else await self._tx.now()

    def __getattr__(self, name: str) -> Any:
        repository = _GatedPort(name, getattr(self._tx, name), self._gate)
        setattr(self, name, repository)
        return repository


def gated(name: str, port: Port, gate: Gate) -> Port:
    """Return the port, each of whose calls passes the gate. `name` is its name in passages, such as "blobs"."""
    return cast(Port, _GatedPort(name, port, gate))


class _GatedPort:
    def __init__(self, name: str, port: object, gate: Gate) -> None:
        self._name = name
        self._port = port
        self._gate = gate

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)
        wrap = self._streamed if _streams(getattr(type(self._port), name)) else self._called
        wrapper = wrap(f"{self._name}.{name}", method)
        setattr(self, name, wrapper)
        return wrapper

    def _called(self, call: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def passing(*args: Any, **kwargs: Any) -> Any:
            label = _label(call, args)
            await self._gate.before(label)
            result = await method(*args, **kwargs)
            await self._gate.after(label)
            return result

        return passing

    def _streamed(self, call: str, method: Callable[..., Any]) -> Callable[..., Any]:
        async def passing(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            label = _label(call, args)
            last_read.set(args[0])
            await self._gate.before(label)
            async for item in method(*args, **kwargs):
                yield item
            await self._gate.after(label)

        return passing


@functools.cache  # asking `inspect` each time takes as long as everything else
def _streams(function: Callable[..., Any]) -> bool:
    return inspect.isasyncgenfunction(function)


def _label(call: str, args: tuple[Any, ...]) -> str:
    """Return the name of a call in passages. A call to the blob store includes the name of its picture."""
    return f"{call} {args[0].rpartition('/')[2]}" if call.startswith("blobs.") else call
