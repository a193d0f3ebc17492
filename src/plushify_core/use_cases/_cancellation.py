"""Work that must finish even if its caller is cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finish_despite_cancellation(work: Coroutine[Any, Any, T]) -> tuple[T, bool]:
    """Run `work` until it ends, even if the calling task is cancelled meanwhile.

    Returns:
        The result of `work`, and whether the calling task was cancelled. If it was, the caller must clean up and raise
        `asyncio.CancelledError`.
    """
    task = asyncio.create_task(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return task.result(), cancelled
