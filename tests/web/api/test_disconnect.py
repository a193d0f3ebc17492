"""Disconnection of a browser during a generation, on a real server."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from tests.browser.server import serve
from tests.web.conftest import ADA
from tests.web.photos import jpeg

TIMEOUT_S = 120.0
"""Time limit of the generation, and of waiting for it."""


class NotYet(Exception):
    """Expected state that is not reached yet."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """Start a server, and return a client that is signed in to it."""
    with (
        serve(tmp_path, generation_timeout_s=f"{TIMEOUT_S:g}") as server,
        httpx.Client(
            base_url=server.url, headers={"Sec-Fetch-Site": "same-origin"}, timeout=60, trust_env=False
        ) as client,
    ):
        assert client.post("/api/accounts", json=ADA).status_code == 201
        yield client


def test_a_generation_continues_after_a_disconnect(client: httpx.Client) -> None:
    """A generation whose client disconnects before the response succeeds, is charged once, and is in the gallery."""
    form = {"style": "kawaii", "quality": "high"}
    request = client.build_request("POST", "/api/generations", data=form, files={"image": ("photo.jpg", jpeg())})
    with socket.create_connection((request.url.host, request.url.port or 80)) as browser:
        browser.sendall(raw(request))
        submitted = wait_for_status(client, {"pending", "running"})
        browser.setblocking(False)
        with pytest.raises(BlockingIOError):  # no part of a response has arrived
            browser.recv(1)

    generation = wait_for_status(client, {"succeeded", "failed"})
    assert (generation["id"], generation["status"]) == (submitted["id"], "succeeded")
    assert client.get(generation["generatedUrl"]).status_code == 200
    assert client.get("/api/credits").json()["balance"] == 1


def raw(request: httpx.Request) -> bytes:
    """Return the bytes of the request."""
    lines = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.read()


def wait_for_status(client: httpx.Client, statuses: set[str]) -> dict[str, Any]:
    """Wait until the only generation in the gallery has one of these statuses, and return it."""
    for attempt in stamina.retry_context(on=NotYet, attempts=None, timeout=TIMEOUT_S, wait_initial=0.01, wait_max=0.2):
        with attempt:
            found: list[dict[str, Any]] = client.get("/api/generations").json()["items"]
            if [item["status"] in statuses for item in found] != [True]:
                raise NotYet
    return found[0]
