"""Accounts and session resources: sign up, sign in, sign out."""

import pytest

from tests.web.conftest import ADA, PASSWORD, Client

pytestmark = pytest.mark.anyio


async def test_sign_up_signs_in_and_grants_the_free_credits(visitor: Client) -> None:
    """Sign-up opens a session, stores the email address in lower case, and grants the free credits."""
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
async def test_sign_up_validates_its_input(
    visitor: Client, change: dict[str, str | None], status: int, reason: str
) -> None:
    """Sign-up needs an email address and a password of 8 to 128 characters. Each refusal has its own reason."""
    response = await visitor.post("/api/accounts", json={**ADA, **change})

    assert (response.status_code, response.json()["code"], response.json()["reason"]) == (
        status,
        "INVALID_INPUT",
        reason,
    )


async def test_sign_in_and_sign_out(client: Client, visitor: Client) -> None:
    """The password opens a session, and signing out closes it. Sessions of other browsers stay open."""
    signed_in = await visitor.post("/api/session", json=ADA)
    assert signed_in.status_code == 200
    assert signed_in.json() == (await client.get("/api/session")).json()

    assert (await visitor.delete("/api/session")).status_code == 204
    assert (await visitor.get("/api/session")).json() == {"user": None}
    assert (await client.get("/api/credits")).status_code == 200
