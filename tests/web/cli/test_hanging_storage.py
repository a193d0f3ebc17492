"""`plushify serve` over a storage that hangs: time limits hold, and nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from plushify_adapters.blobs import FsspecBlobStore
from plushify_adapters.sql import SqlStore
from tests import invariants
from tests.browser.server import free_port
from tests.web.conftest import ADA
from tests.web.photos import jpeg

START_TIMEOUT_S = 120
DRAIN_S = 2
PACKAGE = Path(__file__).parents[2] / "emulators" / "hanging_storage"

FORM = {"style": "classic", "quality": "standard"}


class Installation:
    """An installation whose storage hangs on request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.control = folder / "hanging"
        self.log = folder / "serve.log"
        self.url = ""

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a server, and yield it when it is ready."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")]),
            "HANGING_STORAGE": str(self.control),
            "PLUSHIFY_DATA_DIR": str(self.folder / "data"),
            "PLUSHIFY_STORAGE_URL": f"hanging://{self.folder}/blobs",
            "PLUSHIFY_MODEL": "felt",
            "PLUSHIFY_DRAIN_S": str(DRAIN_S),
            "PLUSHIFY_FREE_CREDITS": "10",
            "PLUSHIFY_GENERATION_TIMEOUT_S": "15",
            "PLUSHIFY_LEASE_S": "3",
            "PLUSHIFY_PENDING_LEASE_S": "10",
            "PLUSHIFY_LATE_WRITE_S": "1",
            "PLUSHIFY_SWEEP_INTERVAL_S": "1",
        }
        with self.log.open("ab") as log:
            server = subprocess.Popen(
                [sys.executable, "-c", "from plushify_web.cli import main; main()", "serve", "--port", str(port)],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            for attempt in stamina.retry_context(
                on=(httpx.TransportError, AssertionError), attempts=None, timeout=START_TIMEOUT_S, wait_max=0.5
            ):
                with attempt:
                    assert self.get("/health/ready").status_code == 200
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()

    def get(self, path: str) -> httpx.Response:
        """Call the server without an account."""
        return httpx.get(self.url + path, timeout=60, trust_env=False)

    def hang(self, *operations: str) -> None:
        """Let these operations of the storage hang from now on."""
        self.control.write_text(" ".join(operations), "ascii")


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return an installation in a temporary folder."""
    return Installation(tmp_path)


def submit(client: httpx.Client, **headers: str) -> dict[str, Any]:
    """Submit a photo; whatever happens to the answer, do not fail."""
    with suppress(httpx.TransportError):
        response = client.post("/api/generations", data=FORM, files={"image": ("cat.jpg", jpeg())}, headers=headers)
        found: dict[str, Any] = response.json()
        return found
    return {}


@pytest.mark.parametrize("with_open_request", [False, True])
def test_limits_hold_while_the_storage_hangs(installation: Installation, with_open_request: bool) -> None:
    """While the storage hangs, readiness answers 503 at its limit, SIGTERM ends the server, and the next start settles
    every generation."""
    with installation.serving() as server, browser(installation) as client:
        assert client.post("/api/accounts", json=ADA).status_code == 201
        assert submit(client)["status"] == "succeeded"

        installation.hang("open")  # photos can be stored, but generations cannot read them
        running = submit(client, Prefer="respond-async")
        assert running["status"] in ("pending", "running")
        time.sleep(1)
        installation.hang("open", "pipe_file", "find", "rm_file")
        submitting = threading.Thread(target=submit, args=(client,))
        if with_open_request:
            submitting.start()

        began = time.monotonic()
        response = installation.get("/health/ready")
        readiness_s = time.monotonic() - began
        assert (response.status_code, response.json()["detail"]) == (503, "Not ready: the blob store.")
        assert readiness_s < 6

        began = time.monotonic()
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        shutdown_s = time.monotonic() - began
        if with_open_request:
            submitting.join()
    print(f"readiness {readiness_s:.1f} s, shutdown {shutdown_s:.1f} s")
    # The worker ends by itself, unless a request is open that hangs in the storage.
    assert ("Killing worker" in installation.log.read_text("utf-8")) is with_open_request
    assert shutdown_s < DRAIN_S + 9

    installation.hang()
    with installation.serving(), browser(installation) as client:
        assert client.post("/api/session", json=ADA).status_code in (200, 201)
        ends = time.monotonic() + 30
        while any(item["status"] in ("pending", "running") for item in items(client)) and time.monotonic() < ends:
            time.sleep(0.5)
        time.sleep(3)
        user_id = client.get("/api/session").json()["user"]["id"]
        statuses = sorted(item["status"] for item in items(client))
    assert "succeeded" in statuses
    assert {"pending", "running"}.isdisjoint(statuses)
    assert [*asyncio.run(violations(installation, user_id))] == []


async def violations(installation: Installation, user_id: str) -> list[str]:
    """Return the violated promises of everything that is stored."""
    store = SqlStore(f"sqlite:///{installation.folder}/data/plushify.db")
    blobs = FsspecBlobStore(f"file://{installation.folder}/blobs")
    books = await invariants.read(store, blobs, [user_id])
    await store.aclose()
    return [*invariants.violations(books), *invariants.unsettled(books)]


def browser(installation: Installation) -> httpx.Client:
    """Return a client that sends the headers of a browser that shows our page."""
    headers = {"Sec-Fetch-Site": "same-origin"}
    return httpx.Client(base_url=installation.url, headers=headers, timeout=60, trust_env=False)


def items(client: httpx.Client) -> list[dict[str, Any]]:
    """Return the generations of the gallery."""
    found: list[dict[str, Any]] = client.get("/api/generations").json()["items"]
    return found
