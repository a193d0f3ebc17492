"""Gates in the wires between a process and its ports: the places where a process can die.

Nothing that a process does has an effect but through a port. So a process whose every wire is cut is dead, as after
a power cut, though its coroutines still unwind.
"""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar, cast

from plushify_core.ports import BlobStore, Events, ImageModel, Store, Transaction

Port = TypeVar("Port", BlobStore, Events, ImageModel)

last_read: ContextVar[str] = ContextVar("last_read")
"""The key of the blob that this task has read last: by it a model knows which generation it draws."""


class PowerCut(BaseException):
    """The process has stopped. No `except Exception` of the dead goes on working."""


class Gate(Protocol):
    """What every call to a port passes, before its effect and after it. Either may raise."""

    async def before(self, call: str) -> None:
        """The call is about to take effect."""
        ...

    async def after(self, call: str) -> None:
        """It has."""
        ...


class Fuse:
    """A gate at which a process dies, or freezes for a while as on a machine that is suspended.

    Args:
        blows_at: the number of the passage where that happens, counted from 0: two for each call. None: never.
        freeze_s: seconds until it goes on. None: it does not.
        among: the passages that are counted: those with this in their names.
    """

    def __init__(self, blows_at: int | None = None, freeze_s: float | None = None, *, among: str = "") -> None:
        self.passages: list[str] = []
        self.cut = False
        self._blows_at = blows_at
        self._freeze_s = freeze_s
        self._among = among
        self._frozen_until_s = 0.0

    async def before(self, call: str) -> None:
        """Before the effect of the call."""
        await self._pass(f"before {call}")

    async def after(self, call: str) -> None:
        """After it."""
        await self._pass(f"after {call}")

    async def _pass(self, passage: str) -> None:
        now_s = asyncio.get_running_loop().time()
        if self._among in passage:
            if len(self.passages) == self._blows_at:
                self.cut = self._freeze_s is None
                self._frozen_until_s = now_s + (self._freeze_s or 0)
            self.passages.append(passage)
        if now_s < self._frozen_until_s:
            await asyncio.sleep(self._frozen_until_s - now_s)
        if self.cut:
            raise PowerCut


class GatedStore(Store):
    """A store whose transactions, and every call within them, pass a gate."""

    def __init__(self, store: Store, gate: Gate) -> None:
        self._store = store
        self._gate = gate

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Cut before the commit, it rolls back; cut after it, nobody learns that it stands."""
        await self._gate.before("begin")
        async with self._store.begin() as tx:
            yield cast(Transaction, _GatedTransaction(tx, self._gate))
            await self._gate.before("commit")
        await self._gate.after("commit")


class _GatedTransaction:
    def __init__(self, tx: Transaction, gate: Gate) -> None:
        self._tx = tx
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        repository = _GatedPort(name, getattr(self._tx, name), self._gate)
        setattr(self, name, repository)
        return repository


def gated(name: str, port: Port, gate: Gate) -> Port:
    """The port, behind the gate."""
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


@functools.cache  # asking `inspect` each time takes as long as all the rest
def _streams(function: Callable[..., Any]) -> bool:
    return inspect.isasyncgenfunction(function)


def _label(call: str, args: tuple[Any, ...]) -> str:
    """`blobs.put` says what it puts."""
    return f"{call} {args[0].rpartition('/')[2]}" if call.startswith("blobs.") else call
