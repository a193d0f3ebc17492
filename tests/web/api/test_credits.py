"""Credits resource: balance and ledger entries."""

import pytest

from tests.web.conftest import Client, make

pytestmark = pytest.mark.anyio


async def test_lists_ledger_entries(client: Client) -> None:
    """Each entry has its amount, reason and generation. Pages are newest first."""
    generation = await make(client)

    first = (await client.get("/api/credits/entries", params={"limit": 1})).json()
    (entry,) = first["items"]
    assert (entry["kind"], entry["amount"], entry["generationId"]) == ("consume", -1, generation["id"])
    last = (await client.get("/api/credits/entries", params={"cursor": first["nextCursor"]})).json()
    assert [(entry["kind"], entry["amount"], entry["reason"]) for entry in last["items"]] == [
        ("grant", 3, "free credits")
    ]
    assert last["nextCursor"] is None
    assert (await client.get("/api/credits")).json() == {"plan": "free", "balance": 2}
