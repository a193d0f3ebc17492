"""What the image model took money for, by its own record."""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

import httpx
import msgspec
import pybase64

from tests.emulators.process import OpenRouterEmulator


class Billed(msgspec.Struct, frozen=True):
    """One call as the model saw it: its photo's SHA-256 and its cost in dollars (None: it never came to an answer)."""

    photo: str | None
    cost_usd: float | None


def read_bill(model: OpenRouterEmulator) -> list[Billed]:
    """All calls, oldest first. The emulator numbers the calls as they come, and remembers them in the same order."""
    with httpx.Client(
        base_url=model.base_url, headers={"Authorization": "Bearer sk-or-v1-chaos"}, trust_env=False
    ) as client:
        return [
            Billed(_photo(call["body"]), _cost(client, f"gen-{number}"))
            for number, call in enumerate(model.calls(), start=1)
        ]


def by_photo(bill: Sequence[Billed]) -> dict[str, list[Billed]]:
    """The calls for each photo, oldest first."""
    found: defaultdict[str, list[Billed]] = defaultdict(list)
    for call in bill:
        if call.photo is not None:
            found[call.photo].append(call)
    return found


def digest(photo: bytes) -> str:
    """What a photo is known by."""
    return sha256(photo).hexdigest()


def _photo(body: object) -> str | None:
    if not isinstance(body, dict):
        return None  # the caller died before it had sent all of it
    url: str = body["messages"][0]["content"][1]["image_url"]["url"]
    return digest(pybase64.b64decode(url.partition(",")[2], validate=True))


def _cost(client: httpx.Client, call_id: str) -> float | None:
    answer = client.get("/generation", params={"id": call_id})
    if answer.status_code == 404:
        return None
    cost: float = answer.raise_for_status().json()["data"]["total_cost"]
    return cost
