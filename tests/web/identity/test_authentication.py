"""Session cookie, and protection against cross-site requests."""

import pytest

from plushify_web.app import create_app
from plushify_web.settings import Settings
from tests.web.conftest import ADA, Client, browser, make_container

pytestmark = pytest.mark.anyio


async def test_scripts_cannot_read_the_session_cookie(visitor: Client) -> None:
    """Over http the cookie is HttpOnly and SameSite=Lax, but not Secure."""
    response = await visitor.post("/api/accounts", json=ADA)

    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("plushify_session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


async def test_over_https_the_cookie_is_bound_to_the_host() -> None:
    """With an https address the cookie is Secure, and its name has the prefix `__Host-`."""
    container = make_container(Settings(public_url="https://plushify.test"))
    async with browser(create_app(container), "https://plushify.test") as client:
        response = await client.post("/api/accounts", json=ADA)
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-plushify_session=")
        assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(cookie.split("; "))
        assert (await client.get("/api/credits")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "carried_out"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://plushify.test"}, False),
        ({"Origin": "http://plushify.test"}, True),
        ({"Origin": "http://evil.test"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
async def test_refuses_cross_site_requests(client: Client, headers: dict[str, str], carried_out: bool) -> None:
    """An unsafe request with a session cookie is carried out only if it comes from our own page."""
    del client.headers["Sec-Fetch-Site"]
    response = await client.delete("/api/session", headers=headers)

    assert response.status_code == (204 if carried_out else 401)
    signed_in = (await client.get("/api/session")).json()["user"] is not None
    assert signed_in is not carried_out


async def test_refuses_a_cross_site_sign_in(client: Client, visitor: Client) -> None:
    """Another site cannot sign a visitor in to an account of its own. A program, which sends no origin, may sign in."""
    del visitor.headers["Sec-Fetch-Site"]
    foreign = await visitor.post("/api/session", json=ADA, headers={"Origin": "http://evil.test"})
    assert (foreign.status_code, foreign.json()["code"]) == (401, "UNAUTHORIZED")

    assert (await visitor.post("/api/session", json=ADA)).status_code == 200
