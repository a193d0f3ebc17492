"""Threads for blocking calls that may hang for ever."""

import subprocess
import sys
import threading
import time
import weakref

import pytest

from plushify_adapters.blobs._threads import DaemonThreads

HANG_AND_EXIT = """
import time
from plushify_adapters.blobs._threads import DaemonThreads
threads = DaemonThreads(2, name="hanging")
threads.submit(lambda: time.sleep(3600))
time.sleep(0.1)
"""


def named(prefix: str) -> list[threading.Thread]:
    """Return the living threads whose name begins with `prefix`."""
    return [thread for thread in threading.enumerate() if thread.name.startswith(prefix)]


def test_a_call_that_hangs_does_not_keep_the_process_alive() -> None:
    """A process exits although a call hangs in one of its threads."""
    subprocess.run([sys.executable, "-c", HANG_AND_EXIT], timeout=30, check=True)


def test_returns_results_and_raises_errors() -> None:
    """A future has the result of its call, or its exception."""
    threads = DaemonThreads(2, name="results")
    assert [threads.submit(lambda n=n: n * n).result(10) for n in range(20)] == [n * n for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(10)
    assert 1 <= len(named("results")) <= 2


def test_runs_a_limited_number_of_calls_at_once() -> None:
    """No more than `max_threads` calls run at once. A call that waits can be cancelled, one that runs cannot."""
    threads = DaemonThreads(2, name="limited")
    gate, running = threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        running.release()
        gate.wait()

    calls = [threads.submit(wait) for _ in range(4)]
    for _ in range(2):
        assert running.acquire(timeout=10)
    assert not running.acquire(timeout=0.1)
    assert calls[3].cancel()
    assert not calls[0].cancel()
    gate.set()
    for call in calls[:3]:
        call.result(10)
    assert len(named("limited")) == 2


def test_threads_end_with_their_owner() -> None:
    """When the object is no longer used, its threads end."""
    threads = DaemonThreads(2, name="owned")
    threads.submit(lambda: None).result(10)
    owner = weakref.ref(threads)
    del threads
    assert owner() is None
    ends = time.monotonic() + 10
    while named("owned"):
        assert time.monotonic() < ends
        time.sleep(0.01)
