"""`plushify serve`, as a process."""

import io
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

from tests.emulators.process import openrouter_emulator

START_TIMEOUT_S = 120


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serving(data_dir: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A server of one worker, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from plushify_web.cli import main; main()", "serve", "--port", str(port)],
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
    """What a browser sends for our own page."""
    with httpx.Client(headers={"Sec-Fetch-Site": "same-origin"}, timeout=60, trust_env=False) as client:
        yield client


def test_the_whole_way_over_a_real_server(tmp_path: Path, browser: httpx.Client) -> None:
    """A fresh folder becomes a server; a photo becomes a plushie; who is signed in stays so over a restart; and the
    server ends in order when it is told to."""
    port = free_port()
    browser.base_url = httpx.URL(f"http://127.0.0.1:{port}")
    with serving(tmp_path / "data", port) as server:
        wait_for(browser)
        account = {"email": "ada@plushify.test", "password": "correct horse battery"}
        assert browser.post("/api/accounts", json=account).status_code == 201
        form = {"style": "chibi", "quality": "standard"}
        made = browser.post("/api/generations", data=form, files={"image": ("photo.jpg", jpeg())})
        assert (made.status_code, made.json()["status"]) == (201, "succeeded")
        picture = browser.get(made.json()["generatedUrl"])
        shown = pyvips.Image.new_from_buffer(picture.content, "")
        assert (shown.width, shown.height) == (made.json()["width"], made.json()["height"])
        printed, logged = stopped(server)
    assert f"Plushify is at http://127.0.0.1:{port}" in logged
    assert "Felt preview (built in) draws." in logged
    assert printed == ""
    assert "correct horse battery" not in logged
    assert browser.cookies["plushify_session"] not in logged

    with serving(tmp_path / "data", port) as server:
        wait_for(browser)
        assert browser.get("/api/session").json()["user"]["email"] == account["email"]
        assert browser.get("/api/generations").json()["items"] == [made.json()]
        stopped(server)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A port that somebody else listens at is named in one sentence."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with serving(tmp_path / "data", port) as server:
            printed, logged = server.communicate(timeout=START_TIMEOUT_S)
    assert (server.returncode, printed) == (1, "")
    assert logged.splitlines()[-1] == (f"plushify: Cannot listen at 127.0.0.1:{port}: Address already in use.")
    assert "Traceback" not in logged


def test_a_bad_key_is_told_at_the_start(tmp_path: Path, browser: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose key is not accepted says so in its log, and serves."""
    port = free_port()
    browser.base_url = httpx.URL(f"http://127.0.0.1:{port}")
    with openrouter_emulator() as emulator:
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_BASE_URL", emulator.base_url)
        monkeypatch.setenv("PLUSHIFY_OPENROUTER_API_KEY", "not-a-key")
        with serving(tmp_path / "data", port) as server:
            assert server.stderr is not None
            warned = next(line for line in server.stderr if "plushify_web.preflight" in line)
            wait_for(browser)
            stopped(server)
    logged = json.loads(warned)
    assert (logged["level"], logged["event"]) == ("warning", "key: OpenRouter does not accept the key.")


def wait_for(browser: httpx.Client) -> None:
    """Wait until the server is ready."""
    for attempt in stamina.retry_context(on=httpx.TransportError, attempts=None, timeout=START_TIMEOUT_S, wait_max=1):
        with attempt:
            assert browser.get("/health/ready").status_code == 200


def stopped(server: "subprocess.Popen[str]") -> tuple[str, str]:
    """Ask the server to stop, and return what it printed and logged."""
    server.send_signal(signal.SIGTERM)
    output: tuple[str, str] = server.communicate(timeout=60)
    assert server.returncode == 0, output
    return output


def jpeg() -> io.BytesIO:
    """A photo of noise."""
    noise = pyvips.Image.gaussnoise(96, 64, mean=128, sigma=30).cast("uchar")
    return io.BytesIO(noise.jpegsave_buffer())
