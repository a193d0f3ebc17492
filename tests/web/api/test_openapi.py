"""OpenAPI description of the API."""

from typing import Any

import pytest

from tests.web.conftest import Client

pytestmark = pytest.mark.anyio

OPERATIONS = {
    "signUp": {"201", "400", "413", "422"},
    "signIn": {"200", "400", "401", "413"},
    "getSession": {"200"},
    "signOut": {"204", "401"},
    "getCatalog": {"200"},
    "submitGeneration": {"201", "202", "400", "401", "402", "404", "413", "415", "422", "429", "502", "504"},
    "listGenerations": {"200", "400", "401"},
    "getGeneration": {"200", "401", "404"},
    "deleteGeneration": {"204", "401", "404", "422"},
    "restoreGeneration": {"200", "401", "404", "422"},
    "getPicture": {"200", "304", "307", "401", "404"},
    "getCredits": {"200", "401"},
    "listCreditEntries": {"200", "400", "401"},
    "getLiveness": {"200"},
    "getReadiness": {"200", "503"},
}


async def test_every_operation_declares_its_responses(visitor: Client) -> None:
    """Each operation has an id, a tag and all its response statuses. Errors are problem details."""
    schema: dict[str, Any] = (await visitor.get("/schema")).json()

    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert {found["operationId"]: OPERATIONS[found["operationId"]] for found in operations} == OPERATIONS
    for operation in operations:
        missing = OPERATIONS[operation["operationId"]] - set(operation["responses"])
        assert missing == set(), operation["operationId"]
        assert operation["tags"]
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], operation["operationId"]
