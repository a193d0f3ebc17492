"""Time limits that hold whatever the work does, even if it ignores its cancellation."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_abandoned: set[asyncio.Task[Any]] = set()
"""Tasks that are not waited for any more. The event loop itself keeps only weak references to its tasks."""


async def run_within(limit_s: float, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`. After `limit_s` seconds, cancel it, and do not wait for its end.

    Raises:
        TimeoutError: the limit has passed.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task}, timeout=limit_s)
    finally:
        abandon(task)
    if not task.done():
        raise TimeoutError(f"no result within {limit_s:g} s")
    return task.result()


async def cancel_within(limit_s: float, tasks: Collection[asyncio.Task[Any]]) -> bool:
    """Cancel the tasks, wait at most `limit_s` seconds for them, and return whether all of them have ended."""
    for task in tasks:
        abandon(task)
    if not tasks:
        return True
    _, hanging = await asyncio.wait(tasks, timeout=limit_s)
    return not hanging


def abandon(task: asyncio.Task[Any]) -> None:
    """Cancel the task if it has not ended. Nobody needs to wait for it, and its error is not reported."""
    if not task.done():
        task.cancel()
        _abandoned.add(task)
        task.add_done_callback(_forget)


def _forget(task: asyncio.Task[Any]) -> None:
    _abandoned.discard(task)
    if not task.cancelled():
        task.exception()  # otherwise asyncio logs that the exception was never retrieved
