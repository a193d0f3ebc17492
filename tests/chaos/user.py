"""User: submits photos, retries with the same idempotency key at another replica, deletes, restores, and views."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx
import pyvips

from tests.chaos.plan import Mode, PlannedRequest
from tests.chaos.replica import Replica

PASSWORD = "correct horse battery"
PRICES = {"standard": 1, "high": 2}

ATTEMPTS = 200
"""Number of times a request is sent before its user gives up. Together they take longer than any fault."""

ATTEMPT_TIMEOUT_S = 15.0
DISCONNECT_AFTER_S = 0.4
PAUSE_S = 0.5

REQUEST_TIMEOUT_S = 60.0
"""Timeout of a client that must receive every response, however busy the machine is."""

HEADERS = {"Sec-Fetch-Site": "same-origin"}


class End(StrEnum):
    """Final response to a request."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(kw_only=True, eq=False)
class Request:
    """One submission, however often it is sent, with its responses.

    Args:
        planned: request in the plan.
        key: idempotency key.
        photo: bytes of the photo.

    Attributes:
        ids: ids of generations in all responses. There must be only one.
        ends: final responses. There must be only one.
        deleted: whether the picture is deleted.
    """

    planned: PlannedRequest
    key: str
    photo: bytes
    ids: set[str] = field(init=False, default_factory=set)
    ends: set[End] = field(init=False, default_factory=set)
    deleted: bool = field(init=False, default=False)

    @property
    def price(self) -> int:
        """Price in credits."""
        return PRICES[self.planned.quality]

    @property
    def end(self) -> End:
        """Final response, if there is one and all of them agree."""
        return self.ends.copy().pop() if len(self.ends) == 1 else End.UNKNOWN


class User:
    """User with one HTTP client, which repeats requests until there is a response.

    Args:
        number: number of the user.
        replicas: servers. Each attempt goes to the next one.

    Attributes:
        requests: all submissions so far.
        violations: responses that break a promise.
        attempts: number of HTTP requests sent.
    """

    def __init__(self, number: int, replicas: Sequence[Replica]) -> None:
        self.email = f"user{number}@chaos.test"
        self.id = ""
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.attempts = 0
        self._number = number
        self._urls = itertools.cycle(
            [replica.url for replica in [*replicas[number % len(replicas) :], *replicas[: number % len(replicas)]]]
        )
        self._client = httpx.AsyncClient(trust_env=False, timeout=ATTEMPT_TIMEOUT_S, headers=HEADERS)

    async def aclose(self) -> None:
        """Close the HTTP client."""
        await self._client.aclose()

    async def sign_up(self) -> None:
        """Create an account, or sign in if an earlier attempt without a response has created it."""
        credentials = {"email": self.email, "password": PASSWORD}
        response = await self._request("POST", "/api/accounts", json=credentials)
        if _problem(response).get("reason") == "email_taken":
            response = await self._request("POST", "/api/session", json=credentials)
        self.id = response.json()["user"]["id"]

    async def carry_out(self, planned: PlannedRequest) -> Request:
        """Submit until there is a final response, then delete and restore the picture if planned."""
        key, picture = f"{self._number}-{planned.number}", photo(self._number, planned.number)
        request = Request(planned=planned, key=key, photo=picture)
        self.requests.append(request)
        if planned.mode is Mode.DISCONNECT:
            await self._submit_once(request, timeout=DISCONNECT_AFTER_S)
        if planned.mode is Mode.TWICE:
            await asyncio.gather(self._submit_once(request), self._submit_once(request))
        await self.submit(request, respond_async=planned.mode is Mode.POLL)
        if request.end is End.SUCCEEDED and planned.delete:
            await self._delete_and_restore(request)
        return request

    async def submit(self, request: Request, *, respond_async: bool = False) -> None:
        """Send the request until there is a final response."""
        for _ in range(ATTEMPTS):
            response = await self._submit_once(request, respond_async=respond_async)
            if response is not None and response.status_code not in {202, 429, 500, 503}:
                return
            await asyncio.sleep(PAUSE_S)

    async def balance(self) -> int:
        """Return the balance in credits."""
        found: int = (await self._request("GET", "/api/credits")).json()["balance"]
        return found

    async def entries(self) -> list[dict[str, Any]]:
        """Return the latest entries of the statement, newest first."""
        found: list[dict[str, Any]] = (await self._request("GET", "/api/credits/entries")).json()["items"]
        return found

    def another_client(self) -> httpx.AsyncClient:
        """Return another HTTP client with the session of this user."""
        return httpx.AsyncClient(
            trust_env=False, timeout=REQUEST_TIMEOUT_S, headers=HEADERS, cookies=self._client.cookies
        )

    async def view_gallery(self) -> None:
        """View the gallery, which must not contain a deleted picture."""
        listed = {item["id"] for item in (await self._request("GET", "/api/generations?limit=100")).json()["items"]}
        for request in self.requests:
            if request.deleted and request.ids & listed:
                self.violations.append(f"{self.email}: the deleted {request.key} is in the gallery")

    async def _submit_once(
        self, request: Request, *, respond_async: bool = False, timeout: float = ATTEMPT_TIMEOUT_S
    ) -> httpx.Response | None:
        planned = request.planned
        options = request_options(request.photo, planned.style, planned.quality, request.key)
        if respond_async:
            options["headers"]["Prefer"] = "respond-async"
        response = await self._send("POST", "/api/generations", **options, timeout=timeout)
        if response is not None:
            self._record(request, response)
        return response

    def _record(self, request: Request, response: httpx.Response) -> None:
        if response.status_code in {201, 202}:
            request.ids.add(response.json()["id"])
            if response.status_code == 201:
                request.ends.add(End.SUCCEEDED)
        elif (problem := _problem(response)).get("code") == "GENERATION_FAILED" and problem["charged"] is False:
            request.ends.add(End.FAILED)
        elif response.status_code == 402:
            request.ends.add(End.REFUSED)
        elif response.status_code not in {429, 500, 503}:
            self.violations.append(f"{self.email}: {request.key} got status {response.status_code}: {response.text}")

    async def _delete_and_restore(self, request: Request) -> None:
        (generation,) = request.ids
        path = f"/api/generations/{generation}"
        request.deleted = True
        response = await self._request("DELETE", path)
        if response.status_code not in {204, 404}:  # 404: an earlier attempt without a response has deleted it
            self.violations.append(f"{self.email}: deleting {request.key} got status {response.status_code}")
        if request.planned.restore:
            response = await self._request("POST", f"{path}/restore")
            if response.status_code == 200:
                request.deleted = False
            elif response.status_code not in {404, 422}:  # after many attempts, the undo window may be over
                self.violations.append(f"{self.email}: restoring {request.key} got status {response.status_code}")

    async def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        for _ in range(ATTEMPTS):
            response = await self._send(method, path, **options)
            if response is not None and response.status_code < 500:
                return response
            await asyncio.sleep(PAUSE_S)
        raise TimeoutError(f"{method} {path} got no response")

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        self.attempts += 1
        try:
            return await self._client.request(method, next(self._urls) + path, **options)
        except httpx.TransportError:
            return None


def _problem(response: httpx.Response) -> dict[str, Any]:
    """Return the problem details (RFC 9457) of the response; empty if it has none."""
    if not response.headers.get("Content-Type", "").startswith("application/problem+json"):
        return {}
    found: dict[str, Any] = response.json()
    return found


def request_options(photo: bytes, style: str, quality: str, key: str) -> dict[str, Any]:
    """Return the arguments with which httpx submits a photo."""
    return {
        "data": {"style": style, "quality": quality},
        "files": {"image": ("photo.jpg", photo)},
        "headers": {"Idempotency-Key": key},
    }


def photo(user: int, number: int) -> bytes:
    """Return a photo that no other request has, so that it identifies the calls of the model for this request."""
    colour = [40 + user * 20 % 200, 40 + number * 7 % 200, 40 + number // 28 * 13 % 200]
    ground = pyvips.Image.black(96, 64, bands=3) + colour
    grain = pyvips.Image.gaussnoise(96, 64, sigma=12, mean=0, seed=user * 100_000 + number)
    return bytes((ground + grain).cast("uchar").copy(interpretation="srgb").jpegsave_buffer(Q=85, keep="none"))
