"""Fair semaphore: users are served round robin."""

import asyncio
from collections import deque


class FairSlots:
    """Semaphore with one FIFO queue per user, served round robin.

    Between two requests of a user, every other user gets at most one slot.

    Args:
        slots: number of slots that can be held at once.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        # The order of the keys is the order of service: a queue moves to the end after it was served.
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}

    async def acquire(self, user_id: str, *, timeout_s: float) -> bool:
        """Wait for a slot. `release` returns it.

        Args:
            user_id: user whose queue to wait in.
            timeout_s: longest wait, in seconds.

        Returns:
            Whether the slot was acquired before the timeout.
        """
        if self._free:
            self._free -= 1
            return True
        slot = asyncio.get_running_loop().create_future()
        self._queues.setdefault(user_id, deque()).append(slot)
        try:
            await asyncio.wait({slot}, timeout=timeout_s)
        except asyncio.CancelledError:
            if not slot.cancel():
                self.release()  # the slot was granted at the same moment: pass it on
            raise
        return not slot.cancel()

    def release(self) -> None:
        """Return a slot. The next waiting request gets it."""
        while self._queues:
            user_id = next(iter(self._queues))
            queue = self._queues.pop(user_id)
            slot = queue.popleft()
            if queue:
                self._queues[user_id] = queue
            if not slot.done():  # skip requests that timed out or were cancelled
                slot.set_result(None)
                return
        self._free += 1
