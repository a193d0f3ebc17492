"""Taking turns: a semaphore that serves users in rotation, not requests in the order they came."""

import asyncio
from collections import deque


class Turns:
    """So many at once; who has to wait stands in the line of its user, and the lines are served round robin.

    A user with many requests waits for the others' next one, not they for all of theirs.

    Args:
        at_once: how many may have their turn at the same time.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        # The order of the keys is that of service: whose line was served goes to the end.
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    async def take(self, user_id: str, *, timeout_s: float) -> bool:
        """Wait for a turn; `give_back` ends it.

        Args:
            user_id: in whose line to wait.
            timeout_s: seconds to wait at most.

        Returns:
            Whether it is this one's turn; False when the time is over.
        """
        if self._free:
            self._free -= 1
            return True
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(user_id, deque()).append(turn)
        try:
            await asyncio.wait({turn}, timeout=timeout_s)
        except asyncio.CancelledError:
            if not turn.cancel():
                self.give_back()  # it came in the same moment: the next in line shall have it
            raise
        return not turn.cancel()

    def give_back(self) -> None:
        """End a turn: the next begins."""
        while self._lines:
            user_id = next(iter(self._lines))
            line = self._lines.pop(user_id)
            turn = line.popleft()
            if line:
                self._lines[user_id] = line
            if not turn.done():  # else it was given up
                turn.set_result(None)
                return
        self._free += 1
