"""A browser that is closed while its plushie is being made, on a real server."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from tests.browser.server import serve
from tests.web.cli.test_serve import jpeg

PATIENCE_S = 120.0


class NotYet(Exception):
    """What is waited for is not there."""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    """Somebody who is signed in at a server of this test's own."""
    with (
        serve(tmp_path, generation_timeout_s=f"{PATIENCE_S:g}") as server,
        httpx.Client(
            base_url=server.url, headers={"Sec-Fetch-Site": "same-origin"}, timeout=60, trust_env=False
        ) as client,
    ):
        account = {"email": "ada@plushify.test", "password": "correct horse battery"}
        assert client.post("/api/accounts", json=account).status_code == 201
        yield client


def test_a_closed_browser_loses_nothing(client: httpx.Client) -> None:
    """The connection of a submission is cut before there is an answer; the plushie is made, paid once, and stands in
    the gallery."""
    form = {"style": "kawaii", "quality": "high"}
    request = client.build_request("POST", "/api/generations", data=form, files={"image": ("photo.jpg", jpeg())})
    with socket.create_connection((request.url.host, request.url.port or 80)) as browser:
        browser.sendall(raw(request))
        submitted = in_gallery(client, {"pending", "running"})
        browser.setblocking(False)
        with pytest.raises(BlockingIOError):  # not a byte of an answer
            browser.recv(1)

    made = in_gallery(client, {"succeeded", "failed"})
    assert (made["id"], made["status"]) == (submitted["id"], "succeeded")
    assert client.get(made["generatedUrl"]).status_code == 200
    assert client.get("/api/credits").json()["balance"] == 1


def raw(request: httpx.Request) -> bytes:
    """The request as it goes over the wire."""
    lines = [f"{request.method} {request.url.raw_path.decode()} HTTP/1.1".encode()]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n" + request.read()


def in_gallery(client: httpx.Client, statuses: set[str]) -> dict[str, Any]:
    """The only generation there is, once it has one of these statuses."""
    for attempt in stamina.retry_context(on=NotYet, attempts=None, timeout=PATIENCE_S, wait_initial=0.01, wait_max=0.2):
        with attempt:
            found: list[dict[str, Any]] = client.get("/api/generations").json()["items"]
            if [item["status"] in statuses for item in found] != [True]:
                raise NotYet
    return found[0]
