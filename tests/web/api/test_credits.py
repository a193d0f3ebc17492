"""Balance and statement."""

import pytest

from tests.web.conftest import Client, make

pytestmark = pytest.mark.anyio


async def test_the_statement_tells_every_movement(client: Client) -> None:
    """Each entry says how much, why, and for which generation; the newest comes first, in pages."""
    made = await make(client)

    first = (await client.get("/api/credits/entries", params={"limit": 1})).json()
    (entry,) = first["items"]
    assert (entry["kind"], entry["amount"], entry["generationId"]) == ("consume", -1, made["id"])
    last = (await client.get("/api/credits/entries", params={"cursor": first["nextCursor"]})).json()
    assert [(entry["kind"], entry["amount"], entry["reason"]) for entry in last["items"]] == [
        ("grant", 3, "free credits")
    ]
    assert last["nextCursor"] is None
    assert (await client.get("/api/credits")).json() == {"plan": "free", "balance": 2}
