"""Accounts with passwords, and their sessions."""

from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from dependency_injector import providers

from plushify_adapters.memory import MemoryAccountStore
from plushify_web.app import create_app
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.web.conftest import ADA, Client, browser, make_container

pytestmark = pytest.mark.anyio


async def test_an_email_address_has_one_account(client: Client, visitor: Client) -> None:
    """A second account with the same email address is refused, in upper case too."""
    response = await visitor.post("/api/accounts", json={**ADA, "email": "ADA@plushify.test"})

    assert (response.status_code, response.json()["reason"]) == (422, "email_taken")


@pytest.mark.parametrize("email", ["ada@plushify.test", "nobody@plushify.test", "\0@plushify.test"])
async def test_a_wrong_password_and_an_unknown_address_get_the_same_response(
    client: Client, visitor: Client, email: str
) -> None:
    """The response to a wrong password does not reveal whether the account exists."""
    response = await visitor.post("/api/session", json={"email": email, "password": "wrong password"})

    assert (response.status_code, response.json()["reason"]) == (401, "wrong_password")
    assert "WWW-Authenticate" in response.headers


async def test_an_unknown_address_takes_the_time_of_a_hash(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is no account, the password is verified against a decoy, so the time does not reveal it."""
    verified: list[str] = []
    verify = PasswordHasher.verify

    def recording_verify(hasher: PasswordHasher, password_hash: str, password: str) -> bool:
        verified.append(password)
        return verify(hasher, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", recording_verify)
    await visitor.post("/api/session", json={"email": "nobody@plushify.test", "password": "wrong password"})

    assert verified == ["wrong password"]


async def test_a_session_expires_after_session_days(container: Container, settings: Settings, client: Client) -> None:
    """A session is valid one minute before `session_days` have passed, and invalid one minute after."""
    later = datetime.now(UTC) + timedelta(days=settings.session_days)
    container.clock.override(providers.Factory(lambda: later - timedelta(minutes=1)))
    assert (await client.get("/api/credits")).status_code == 200

    container.clock.override(providers.Factory(lambda: later + timedelta(minutes=1)))
    assert (await client.get("/api/credits")).status_code == 401


async def test_removes_expired_sessions(container: Container, settings: Settings, client: Client) -> None:
    """The periodic job removes expired sessions only."""
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
    """A new process on the same database accepts the session token. The database does not contain the token itself."""
    store = MemoryAccountStore()
    old, new = make_container(settings), make_container(settings)
    for container in (old, new):
        container.account_store.override(providers.Object(store))
    async with browser(create_app(old)) as client:
        await client.post("/api/accounts", json=ADA)
        token = client.cookies["plushify_session"]
    async with browser(create_app(new)) as client:
        client.cookies.set("plushify_session", token)
        assert (await client.get("/api/session")).json()["user"]["email"] == ADA["email"]
    assert await store.session(token) is None


async def test_sign_out_invalidates_the_token(client: Client) -> None:
    """After signing out, the session token is invalid, even if the browser has kept it."""
    token = client.cookies["plushify_session"]
    await client.delete("/api/session")

    client.cookies.set("plushify_session", token)
    assert (await client.get("/api/credits")).status_code == 401
