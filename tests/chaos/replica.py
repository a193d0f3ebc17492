"""One `plushify serve` in a process group of its own: it is killed like a machine, and comes back at its address."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.browser.server import free_port

PLUSHIFY = str(Path(sys.executable).with_name("plushify"))

START_TIMEOUT_S = 120.0
"""On a busy machine, and with all modules to compile, a start takes long."""

STOP_TIMEOUT_S = 40.0
"""Longer than `serve` itself gives its worker to drain and settle."""


class Replica:
    """A server, and the supervisor that starts it again.

    Args:
        name: names its log.
        environment: its settings.
        folder: where its log goes.

    Attributes:
        url: its address, the same after each start.
        up: whether it is ready; who wants to do something to it waits for that.
    """

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path) -> None:
        self.up = asyncio.Event()
        self.log = folder / f"{name}.log"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = environment

    @property
    def pids(self) -> list[int]:
        """The processes it consists of, the worker among them."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        return [pid, *map(int, children.split())]

    async def start(self) -> None:
        """Run it, and wait until it is ready; if it ends before, run it again, as a supervisor does.

        Raises:
            TimeoutError: it does not become ready.
        """
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(trust_env=False, timeout=10) as client:
            self._spawn()
            while not await self._is_ready(client):
                if self._process.poll() is not None:
                    self._spawn()
                await asyncio.sleep(0.2)
        self.up.set()

    async def kill(self) -> None:
        """Everything of it dies at once, as if its machine had lost power."""
        self.up.clear()
        self._signal_group(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)

    async def kill_worker(self) -> None:
        """The process that does the work dies, as by the kernel for want of memory; the server ends by itself."""
        self.up.clear()
        for pid in self.pids[1:]:
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_S)

    async def stop(self) -> int:
        """Ask it to end, as an orchestrator does; returns its exit code.

        Raises:
            subprocess.TimeoutExpired: it does not end.
        """
        self.up.clear()
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_S)

    def end(self) -> None:
        """Leave nothing behind."""
        self._signal_group(signal.SIGKILL)
        self._process.wait()

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [PLUSHIFY, "serve", "--host", "127.0.0.1", "--port", str(self._port)],
                env=dict(self._environment),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _is_ready(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get(f"{self.url}/health/live")).status_code == 200
        except httpx.TransportError:
            return False

    def _signal_group(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return  # it has ended, and all that was with it
