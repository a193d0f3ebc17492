"""Threads for blocking calls that may hang for ever."""

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

Jobs = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]
"""Calls that wait for a thread. None ends a thread."""


class DaemonThreads:
    """Up to `max_threads` threads, started when needed.

    They are daemons, so a call that hangs does not keep the process alive. The threads of `ThreadPoolExecutor` are
    joined when the interpreter exits, daemons or not.
    """

    def __init__(self, max_threads: int, *, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._jobs: Jobs = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._started = 0
        weakref.finalize(self, _end, self._jobs, max_threads).atexit = False

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Queue a call, and return its future. Cancelling the future removes the call if it has not begun."""
        job: Future[T] = Future()
        with self._lock:
            self._jobs.put((job, work))
            if not self._idle.acquire(blocking=False) and self._started < self._max_threads:
                self._started += 1
                # The thread does not refer to `self`, so it ends when nobody uses this object any more.
                arguments = (self._jobs, self._idle)
                threading.Thread(
                    target=_work, args=arguments, name=f"{self._name}-{self._started}", daemon=True
                ).start()
        return job


def _work(jobs: Jobs, idle: threading.Semaphore) -> None:
    while (queued := jobs.get()) is not None:
        job, work = queued
        if job.set_running_or_notify_cancel():
            try:
                result = work()
            except BaseException as error:
                job.set_exception(error)
            else:
                job.set_result(result)
                del result
        del queued, job, work  # an idle thread keeps no picture in memory
        idle.release()


def _end(jobs: Jobs, threads: int) -> None:
    for _ in range(threads):
        jobs.put(None)
