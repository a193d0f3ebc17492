"""Signing up, in and out."""

from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from dependency_injector import providers

from plushify_adapters.memory import MemoryAccountStore
from plushify_web.app import create_app
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.web.conftest import PASSWORD, Client, browser, make_container

pytestmark = pytest.mark.anyio

ADA = {"email": "ada@plushify.test", "password": PASSWORD}


async def test_signing_up_signs_in_and_gives_the_free_credits(visitor: Client) -> None:
    """A new account is signed in at once, under its address in lower case, with the free credits."""
    response = await visitor.post("/api/accounts", json={"email": " Ada@Plushify.TEST ", "password": PASSWORD})

    assert response.status_code == 201
    assert response.json()["user"]["email"] == "ada@plushify.test"
    assert (await visitor.get("/api/session")).json() == response.json()
    assert (await visitor.get("/api/credits")).json() == {"plan": "free", "balance": 3}


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"email": "ada"}, 400, "invalid_email"),
        ({"email": "a b@plushify.test"}, 400, "invalid_email"),
        ({"email": "ada@plushify..test"}, 400, "invalid_email"),
        ({"email": f"{'a' * 250}@plushify.test"}, 400, "invalid_email"),
        ({"password": "1234567"}, 400, "password_too_short"),
        ({"password": "x" * 129}, 400, "password_too_long"),
        ({"password": None}, 400, "invalid_request"),
        ({"surname": "Lovelace"}, 400, "invalid_request"),
        ({"email": "x" * 20_000}, 413, "invalid_request"),
    ],
)
async def test_what_an_account_takes(visitor: Client, change: dict[str, str | None], status: int, reason: str) -> None:
    """An account takes an address, and a password of 8 to 128 characters; each refusal has its reason."""
    response = await visitor.post("/api/accounts", json={**ADA, **change})

    assert (response.status_code, response.json()["code"], response.json()["reason"]) == (
        status,
        "INVALID_INPUT",
        reason,
    )


async def test_an_address_has_one_account(client: Client, visitor: Client) -> None:
    """A second account with the same address is refused, however it is written."""
    response = await visitor.post("/api/accounts", json={**ADA, "email": "ADA@plushify.test"})

    assert (response.status_code, response.json()["reason"]) == (422, "email_taken")


async def test_signing_in_and_out(client: Client, visitor: Client) -> None:
    """Who knows the password signs in; who signs out is nobody."""
    signed_in = await visitor.post("/api/session", json=ADA)
    assert signed_in.status_code == 200
    assert signed_in.json() == (await client.get("/api/session")).json()

    assert (await visitor.delete("/api/session")).status_code == 204
    assert (await visitor.get("/api/session")).json() == {"user": None}
    assert (await client.get("/api/credits")).status_code == 200, "the other browser stays signed in"


async def test_a_session_that_was_signed_out_is_over(client: Client) -> None:
    """The token of a session that ended signs nobody in, even if the browser had kept it."""
    token = client.cookies["plushify_session"]
    await client.delete("/api/session")

    client.cookies.set("plushify_session", token)
    assert (await client.get("/api/credits")).status_code == 401


@pytest.mark.parametrize("email", ["ada@plushify.test", "nobody@plushify.test", "\0@plushify.test"])
async def test_a_wrong_password_and_an_unknown_address_look_the_same(
    client: Client, visitor: Client, email: str
) -> None:
    """Neither the answer nor, by a hash that is computed either way, the time tells who has an account."""
    response = await visitor.post("/api/session", json={"email": email, "password": "wrong password"})

    assert (response.status_code, response.json()["reason"]) == (401, "wrong_password")
    assert "WWW-Authenticate" in response.headers


async def test_an_unknown_address_costs_a_hash_too(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password is verified against a decoy where there is no account."""
    verified: list[str] = []
    verify = PasswordHasher.verify

    def watched(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
        verified.append(password)
        return verify(hasher, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", watched)
    await visitor.post("/api/session", json={"email": "nobody@plushify.test", "password": "wrong password"})

    assert verified == ["wrong password"]


async def test_the_session_cookie_is_out_of_reach_of_scripts(visitor: Client) -> None:
    """On http: HttpOnly and SameSite=Lax, and no more than that."""
    response = await visitor.post("/api/accounts", json=ADA)

    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("plushify_session=")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie


async def test_over_https_the_cookie_is_bound_to_the_host() -> None:
    """With an https address the cookie is Secure and has the __Host- prefix."""
    container = make_container(Settings(public_url="https://plushify.test"))
    async with browser(create_app(container), "https://plushify.test") as client:
        response = await client.post("/api/accounts", json=ADA)
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-plushify_session=")
        assert {"HttpOnly", "SameSite=lax", "Path=/", "Secure"} <= set(cookie.split("; "))
        assert (await client.get("/api/credits")).status_code == 200


async def test_a_session_ends_after_its_days(container: Container, settings: Settings, client: Client) -> None:
    """A session is good for `session_days`, and not a moment longer."""
    later = datetime.now(UTC) + timedelta(days=settings.session_days)
    container.clock.override(providers.Factory(lambda: later - timedelta(minutes=1)))
    assert (await client.get("/api/credits")).status_code == 200

    container.clock.override(providers.Factory(lambda: later + timedelta(minutes=1)))
    assert (await client.get("/api/credits")).status_code == 401


async def test_removes_expired_sessions(container: Container, settings: Settings, client: Client) -> None:
    """The periodic job removes a session when it has expired, and not before."""
    accounts = container.accounts()
    later = datetime.now(UTC) + timedelta(days=settings.session_days)
    container.clock.override(providers.Factory(lambda: later - timedelta(minutes=1)))
    assert await accounts.remove_expired_sessions() == 0
    assert (await client.get("/api/credits")).status_code == 200

    container.clock.override(providers.Factory(lambda: later + timedelta(minutes=1)))
    assert await accounts.remove_expired_sessions() == 1
    container.clock.reset_override()
    assert (await client.get("/api/credits")).status_code == 401


async def test_a_session_survives_a_restart(settings: Settings) -> None:
    """A new process on the same database knows who was signed in by the old one; the token itself is not stored."""
    accounts = MemoryAccountStore()
    old, new = make_container(settings), make_container(settings)
    for container in (old, new):
        container.account_store.override(providers.Object(accounts))
    async with browser(create_app(old)) as client:
        await client.post("/api/accounts", json=ADA)
        token = client.cookies["plushify_session"]
    async with browser(create_app(new)) as client:
        client.cookies.set("plushify_session", token)
        assert (await client.get("/api/session")).json()["user"]["email"] == ADA["email"]
    assert await accounts.session(token) is None


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
async def test_no_other_site_acts_for_a_user(client: Client, headers: dict[str, str], carried_out: bool) -> None:
    """What changes something is carried out with a cookie only if our own page asked for it."""
    del client.headers["Sec-Fetch-Site"]
    response = await client.delete("/api/session", headers=headers)

    assert response.status_code == (204 if carried_out else 401)
    still_in = (await client.get("/api/session")).json()["user"] is not None
    assert still_in is not carried_out


async def test_no_other_site_signs_a_visitor_in(client: Client, visitor: Client) -> None:
    """Another site cannot put somebody into its own account; a program without a browser may sign in."""
    del visitor.headers["Sec-Fetch-Site"]
    foreign = await visitor.post("/api/session", json=ADA, headers={"Origin": "http://evil.test"})
    assert (foreign.status_code, foreign.json()["code"]) == (401, "UNAUTHORIZED")

    assert (await visitor.post("/api/session", json=ADA)).status_code == 200
