"""`plushify serve`, in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import pyvips
import stamina

from tests.browser.server import free_port
from tests.emulators.process import openrouter_emulator
from tests.web.conftest import ADA, PASSWORD
from tests.web.photos import jpeg

START_TIMEOUT_S = 120


@contextmanager
def serving(data_dir: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run a server with one worker until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from plushify_web.cli import main; main()", "serve", "--port", str(port), *options],
        env={**os.environ, "PLUSHIFY_DATA_DIR": str(data_dir), "PLUSHIFY_LOG": "json"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    """Return a client that sends the headers of a browser that shows our page."""
    with httpx.Client(headers={"Sec-Fetch-Site": "same-origin"}, timeout=60, trust_env=False) as client:
        yield client


def test_serves_across_a_restart(tmp_path: Path, browser: httpx.Client) -> None:
    """A new installation makes a plushie, shuts down gracefully, and keeps session and gallery across a restart."""
    port = free_port()
    browser.base_url = httpx.URL(f"http://127.0.0.1:{port}")
    with serving(tmp_path / "data", port) as server:
        wait_for(browser)
        assert browser.post("/api/accounts", json=ADA).status_code == 201
        form = {"style": "chibi", "quality": "standard"}
        response = browser.post("/api/generations", data=form, files={"image": ("photo.jpg", jpeg())})
        generation = response.json()
        assert (response.status_code, generation["status"]) == (201, "succeeded")
        picture = pyvips.Image.new_from_buffer(browser.get(generation["generatedUrl"]).content, "")
        assert (picture.width, picture.height) == (generation["width"], generation["height"])
        printed, logged = stop(server)
    assert f"Plushify is at http://127.0.0.1:{port}" in logged
    assert "Felt preview (built in) draws." in logged
    assert printed == ""
    assert PASSWORD not in logged
    assert browser.cookies["plushify_session"] not in logged

    with serving(tmp_path / "data", port) as server:
        wait_for(browser)
        assert browser.get("/api/session").json()["user"]["email"] == ADA["email"]
        assert browser.get("/api/generations").json()["items"] == [generation]
        stop(server)


def test_serves_at_localhost(tmp_path: Path, browser: httpx.Client) -> None:
    """`--host localhost` listens on the IPv4 address of localhost."""
    port = free_port()
    browser.base_url = httpx.URL(f"http://localhost:{port}")
    with serving(tmp_path / "data", port, "--host", "localhost") as server:
        wait_for(browser)
        assert browser.get(f"http://127.0.0.1:{port}/health/live").status_code == 200
        _, logged = stop(server)
    assert f"Plushify is at http://localhost:{port}" in logged


def test_refuses_a_port_in_use(tmp_path: Path) -> None:
    """The message for a port in use is one sentence that names the address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with serving(tmp_path / "data", port) as server:
            printed, logged = server.communicate(timeout=START_TIMEOUT_S)
    assert (server.returncode, printed) == (1, "")
    assert logged.splitlines()[-1] == f"plushify: Cannot listen at 127.0.0.1:{port}: Address already in use."
    assert "Traceback" not in logged


def test_logs_a_refused_key_at_startup(tmp_path: Path, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose key the provider refuses logs a warning, and serves nevertheless."""
    port = free_port()
    browser.base_url = httpx.URL(f"http://127.0.0.1:{port}")
    with openrouter_emulator() as emulator:
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_API_KEY", "not-a-key")
        with serving(tmp_path / "data", port) as server:
            assert server.stderr is not None
            warning = next(line for line in server.stderr if "plushify_web.preflight" in line)
            wait_for(browser)
            stop(server)
    logged = json.loads(warning)
    assert (logged["level"], logged["event"]) == ("warning", "key: OpenRouter does not accept the key.")


def wait_for(browser: httpx.Client) -> None:
    """Wait until the server is ready."""
    for attempt in stamina.retry_context(on=httpx.TransportError, attempts=None, timeout=START_TIMEOUT_S, wait_max=1):
        with attempt:
            assert browser.get("/health/ready").status_code == 200


def stop(server: subprocess.Popen[str]) -> tuple[str, str]:
    """Stop the server with SIGTERM, and return its stdout and stderr."""
    server.send_signal(signal.SIGTERM)
    output: tuple[str, str] = server.communicate(timeout=60)
    assert server.returncode == 0, output
    return output
