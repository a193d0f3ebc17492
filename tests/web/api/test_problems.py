"""Problem details of errors."""

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
async def test_framework_errors_are_problems(
    client: Client, method: str, path: str, status: int, code: str, reason: str
) -> None:
    """Errors of the framework, such as an unknown route, have the same form as those of the use cases."""
    response = await client.request(method, path, content=b"{" if method == "POST" else None)

    problem = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.status_code, problem["status"]) == (status, status)
    assert (problem["code"], problem["reason"]) == (code, reason)
    assert set(problem) == set(Problem.__struct_fields__)
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_unexpected_exception_is_logged_and_not_revealed(
    client: Client, container: Container, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception returns 500, and whether it was charged is unknown. Only the log has its message."""

    async def broken(*_: object, **__: object) -> None:
        raise KeyError("a secret message")

    monkeypatch.setattr(GalleryUseCase, "list", broken)
    response = await client.get("/api/generations")

    problem = response.json()
    assert (response.status_code, problem["code"], problem["reason"]) == (500, Code.GENERATION_FAILED, "internal")
    assert problem["charged"] is None
    assert "secret" not in response.text
    assert "a secret message" in caplog.text
