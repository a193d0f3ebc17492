"""Timing of functions that are compared with each other."""

import time
from collections.abc import Callable, Mapping


def best_times_s(work: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, float]:
    """Return the shortest time of each function, in seconds.

    Each round calls every function once, so that a disturbance of the machine affects all of them.
    """
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, function in work.items():
            started = time.perf_counter()
            function()
            best[name] = min(best[name], time.perf_counter() - started)
    return best
