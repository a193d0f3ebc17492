"""Replica: one `plushify serve` in its own process group, which can be killed and restarted at the same address."""

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
"""Longest time of a start. It is long because the first start compiles all modules, on a busy machine."""

STOP_TIMEOUT_S = 40.0
"""Longest time of a shutdown. It is longer than the time that `serve` gives its worker to drain and settle."""


class Replica:
    """A server, and the supervisor that restarts it.

    Args:
        name: name of the log file.
        environment: environment variables, with the settings.
        folder: folder of the log file.

    Attributes:
        url: address, the same after each start.
        up: set while the server is ready. Await it before sending a signal.
        log: log file.
    """

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path) -> None:
        self.up = asyncio.Event()
        self.log = folder / f"{name}.log"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = environment

    @property
    def pids(self) -> list[int]:
        """Ids of the processes of the server: first the main process, then its workers."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        return [pid, *map(int, children.split())]

    async def start(self) -> None:
        """Start the server, and wait until it is ready. If it ends before, start it again, as a supervisor does.

        Raises:
            TimeoutError: the server does not become ready.
        """
        async with asyncio.timeout(START_TIMEOUT_S), httpx.AsyncClient(trust_env=False, timeout=10) as client:
            self._spawn()
            while not await self._is_ready(client):
                if self._process.poll() is not None:
                    self._spawn()
                await asyncio.sleep(0.2)
        self.up.set()

    async def kill(self) -> None:
        """Kill all processes at once, as if the machine had lost power."""
        self.up.clear()
        self._signal_group(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)

    async def kill_worker(self) -> None:
        """Kill the workers, as the kernel does when memory runs out, and wait until the server ends by itself."""
        self.up.clear()
        for pid in self.pids[1:]:
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_S)

    async def stop(self) -> int:
        """Request a graceful shutdown, as an orchestrator does, and return the exit code.

        Raises:
            subprocess.TimeoutExpired: the server does not end.
        """
        self.up.clear()
        self._process.terminate()
        return await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_S)

    def end(self) -> None:
        """Kill all processes, at the end of a test."""
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
            return  # the whole process group has ended
