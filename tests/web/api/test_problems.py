"""Errors, all of one shape."""

import pytest

from plushify_core import Code, GalleryUseCase
from plushify_web.api.problems import Problem
from plushify_web.container import Container
from tests.web.conftest import Client

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "reason"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND", "not_found"),
        ("GET", "/api/nowhere", 404, "NOT_FOUND", "not_found"),
        ("GET", "/static/../settings.py", 404, "NOT_FOUND", "not_found"),
        ("GET", "/static/%2e%2e/settings.py", 404, "NOT_FOUND", "not_found"),
        ("GET", "/api/generations/not-an-id", 404, "NOT_FOUND", "not_found"),
        ("PATCH", "/api/session", 405, "INVALID_INPUT", "invalid_request"),
        ("POST", "/api/session", 400, "INVALID_INPUT", "invalid_request"),
    ],
)
async def test_the_frameworks_own_errors(
    client: Client, method: str, path: str, status: int, code: str, reason: str
) -> None:
    """What no use case was asked for is a problem like any other."""
    response = await client.request(method, path, content=b"{" if method == "POST" else None)

    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.status_code, problem["status"]) == (status, status)
    assert (problem["code"], problem["reason"]) == (code, reason)
    assert set(problem) == set(Problem.__struct_fields__)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_bug_tells_the_log_and_not_the_user(
    client: Client, container: Container, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen exception is a 500 whose charge is unknown; its text stands in the log only."""

    async def broken(*_: object, **__: object) -> None:
        raise KeyError("a secret of the house")

    monkeypatch.setattr(GalleryUseCase, "list", broken)
    response = await client.get("/api/generations")

    problem = response.json()
    assert (response.status_code, problem["code"], problem["reason"]) == (500, Code.GENERATION_FAILED, "internal")
    assert problem["charged"] is None
    assert "secret" not in response.text
    assert "a secret of the house" in caplog.text
