"""Events in memory, within one process."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from plushify_core.ports import Event, Events


class MemoryEvents(Events):
    """Publisher of events to the subscribers of this process.

    Args:
        max_waiting: number of unread events that a subscriber may have. The next one replaces its oldest.
    """

    def __init__(self, *, max_waiting: int = 100) -> None:
        self._max_waiting = max_waiting
        self._queues: defaultdict[str, set[asyncio.Queue[Event]]] = defaultdict(set)

    async def publish(self, *events: Event) -> None:
        for event in events:
            for queue in self._queues.get(event.user_id, ()):
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(event)

    @asynccontextmanager
    async def subscribe(self, user_id: str) -> AsyncIterator[AsyncIterator[Event]]:
        queue: asyncio.Queue[Event] = asyncio.Queue(self._max_waiting)
        self._queues[user_id].add(queue)
        try:
            yield _stream(queue)
        finally:
            self._queues[user_id].discard(queue)
            if not self._queues[user_id]:
                del self._queues[user_id]


async def _stream(queue: asyncio.Queue[Event]) -> AsyncIterator[Event]:
    while True:
        yield await queue.get()
