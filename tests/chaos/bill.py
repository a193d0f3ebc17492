"""Bill of the image model: the calls that it received, and what it charged, by its own record."""

from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256

import httpx
import msgspec
import pybase64

from tests.emulators.process import OpenRouterEmulator


class ReceivedCall(msgspec.Struct, frozen=True):
    """One call in the record of the model.

    Args:
        photo: SHA-256 of the photo; None: the request was incomplete.
        cost_usd: cost in dollars; None: the model did not answer.
    """

    photo: str | None
    cost_usd: float | None


def read_bill(model: OpenRouterEmulator) -> list[ReceivedCall]:
    """Return all calls, oldest first. The emulator numbers the calls in this order."""
    with httpx.Client(
        base_url=model.base_url, headers={"Authorization": "Bearer sk-or-v1-chaos"}, trust_env=False
    ) as client:
        return [
            ReceivedCall(_photo(call["body"]), _cost(client, f"gen-{number}"))
            for number, call in enumerate(model.calls(), start=1)
        ]


def by_photo(bill: Sequence[ReceivedCall]) -> dict[str, list[ReceivedCall]]:
    """Return the calls for each photo, oldest first."""
    found: defaultdict[str, list[ReceivedCall]] = defaultdict(list)
    for call in bill:
        if call.photo is not None:
            found[call.photo].append(call)
    return found


def digest(photo: bytes) -> str:
    """Return the SHA-256 of a photo in hexadecimal."""
    return sha256(photo).hexdigest()


def _photo(body: object) -> str | None:
    if not isinstance(body, dict):
        return None  # the caller died before it had sent the whole request
    url: str = body["messages"][0]["content"][1]["image_url"]["url"]
    return digest(pybase64.b64decode(url.partition(",")[2], validate=True))


def _cost(client: httpx.Client, call_id: str) -> float | None:
    answer = client.get("/generation", params={"id": call_id})
    if answer.status_code == 404:
        return None
    cost: float = answer.raise_for_status().json()["data"]["total_cost"]
    return cost
