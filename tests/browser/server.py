"""A server for the tests: `plushify serve` in a process, on a free port, with its own data directory."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import stamina

PLUSHIFY = str(Path(sys.executable).with_name("plushify"))

START_TIMEOUT_S = 120
"""Time limit for the start; the first one also compiles every module."""


@dataclass(frozen=True)
class Server:
    """Address of a running server, and the environment that its command line needs."""

    url: str
    environment: Mapping[str, str]

    def grant(self, email: str, credits: int) -> None:
        """Give credits to a user with the command line, as an operator does."""
        command = [PLUSHIFY, "credits", "grant", email, str(credits), "--reason", "test"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)


@contextmanager
def serve(data_dir: Path, **settings: str) -> Iterator[Server]:
    """Serve with the felt model until the context ends.

    Args:
        data_dir: an existing folder for the database, the pictures and the log.
        settings: settings by their lower-case names without prefix, such as `free_credits="3"`.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PLUSHIFY_")}
    chosen = {f"PLUSHIFY_{name.upper()}": value for name, value in settings.items()}
    environment = {**inherited, "PLUSHIFY_DATA_DIR": str(data_dir), "PLUSHIFY_MODEL": "felt", **chosen}
    port = free_port()
    with (data_dir / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [PLUSHIFY, "serve", "--host", "127.0.0.1", "--port", str(port)], env=environment, stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}"
        try:
            for attempt in stamina.retry_context(
                on=httpx.TransportError, attempts=None, timeout=START_TIMEOUT_S, wait_initial=0.2, wait_max=2
            ):
                with attempt:
                    ready = httpx.get(f"{url}/health/ready", trust_env=False)
            assert ready.status_code == 200
        except (httpx.TransportError, AssertionError) as error:
            error.add_note((data_dir / "serve.log").read_text())
            raise
        yield Server(url, environment)
    finally:
        process.terminate()
        process.wait(timeout=60)


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 on which nothing listens at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
