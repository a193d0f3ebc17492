"""One user: submits, retries what got no answer with the same key at another replica, deletes, restores, looks."""

import asyncio
import itertools
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import httpx
import pyvips

from tests.chaos.plan import Manner, Wish
from tests.chaos.replica import Replica

PASSWORD = "correct horse battery"
PRICES = {"standard": 1, "high": 2}

ATTEMPTS = 200
"""How often a request is sent before its user gives up for good: longer than any fault lasts."""

ATTEMPT_TIMEOUT_S = 15.0
IMPATIENT_S = 0.4
PAUSE_S = 0.5

REQUEST_TIMEOUT_S = 60.0
"""For who wants every answer, however busy the machine is."""

HEADERS = {"Sec-Fetch-Site": "same-origin"}


class End(StrEnum):
    """What a user was told at last."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Request:
    """One submission, whatever number of times it is sent, and what was answered."""

    def __init__(self, wish: Wish, key: str, photo: bytes) -> None:
        self.wish = wish
        self.key = key
        self.photo = photo
        self.price = PRICES[wish.quality]
        self.ids: set[str] = set()
        self.ends: set[End] = set()
        self.deleted = False

    @property
    def end(self) -> End:
        """The end, which is the same in every answer."""
        return self.ends.copy().pop() if len(self.ends) == 1 else End.UNKNOWN


class Visitor:
    """A browser that does not give up.

    Attributes:
        requests: all that was submitted.
        surprises: answers that nobody should ever get.
        attempts: how many HTTP requests were sent.
    """

    def __init__(self, number: int, replicas: Sequence[Replica]) -> None:
        self.email = f"user{number}@chaos.test"
        self.id = ""
        self.requests: list[Request] = []
        self.surprises: list[str] = []
        self.attempts = 0
        self._number = number
        self._urls = itertools.cycle(
            [replica.url for replica in [*replicas[number % len(replicas) :], *replicas[: number % len(replicas)]]]
        )
        self._client = httpx.AsyncClient(trust_env=False, timeout=ATTEMPT_TIMEOUT_S, headers=HEADERS)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def sign_up(self) -> None:
        """Make an account; or sign in, if an answer that was lost had made it already."""
        credentials = {"email": self.email, "password": PASSWORD}
        answer = await self._insist("POST", "/api/accounts", json=credentials)
        if _problem(answer).get("reason") == "email_taken":
            answer = await self._insist("POST", "/api/session", json=credentials)
        self.id = answer.json()["user"]["id"]

    async def wish(self, wish: Wish) -> Request:
        """Submit, and go on until there is an end; then delete and restore, if that is wished."""
        request = Request(wish, f"{self._number}-{wish.number}", photo(self._number, wish.number))
        self.requests.append(request)
        if wish.manner is Manner.IMPATIENT:
            await self._once(request, timeout=IMPATIENT_S)
        if wish.manner is Manner.TWICE:
            await asyncio.gather(self._once(request), self._once(request))
        await self.submit(request, asynchronous=wish.manner is Manner.ASYNC)
        if request.end is End.SUCCEEDED and wish.delete:
            await self._delete_and_restore(request)
        return request

    async def submit(self, request: Request, *, asynchronous: bool = False) -> None:
        """Send it until its end is known."""
        for _ in range(ATTEMPTS):
            answer = await self._once(request, asynchronous=asynchronous)
            if answer is not None and answer.status_code not in {202, 429, 500, 503}:
                return
            await asyncio.sleep(PAUSE_S)

    async def balance(self) -> int:
        """What the user has, in credits."""
        found: int = (await self._insist("GET", "/api/credits")).json()["balance"]
        return found

    async def entries(self) -> list[dict[str, Any]]:
        """The latest entries of the user's statement, newest first."""
        found: list[dict[str, Any]] = (await self._insist("GET", "/api/credits/entries")).json()["items"]
        return found

    def another_tab(self) -> httpx.AsyncClient:
        """A client that is signed in as this one."""
        return httpx.AsyncClient(
            trust_env=False, timeout=REQUEST_TIMEOUT_S, headers=HEADERS, cookies=self._client.cookies
        )

    async def look(self) -> None:
        """Look at the gallery, which has no deleted picture."""
        listed = {item["id"] for item in (await self._insist("GET", "/api/generations?limit=100")).json()["items"]}
        for request in self.requests:
            if request.deleted and request.ids & listed:
                self.surprises.append(f"{self.email}: the deleted {request.key} is in the gallery")

    async def _once(
        self, request: Request, *, asynchronous: bool = False, timeout: float = ATTEMPT_TIMEOUT_S
    ) -> httpx.Response | None:
        options = submission(request.photo, request.wish.style, request.wish.quality, request.key)
        if asynchronous:
            options["headers"]["Prefer"] = "respond-async"
        answer = await self._send("POST", "/api/generations", **options, timeout=timeout)
        if answer is not None:
            self._note(request, answer)
        return answer

    def _note(self, request: Request, answer: httpx.Response) -> None:
        if answer.status_code in {201, 202}:
            request.ids.add(answer.json()["id"])
            if answer.status_code == 201:
                request.ends.add(End.SUCCEEDED)
        elif (problem := _problem(answer)).get("code") == "GENERATION_FAILED" and problem["charged"] is False:
            request.ends.add(End.FAILED)
        elif answer.status_code == 402:
            request.ends.add(End.REFUSED)
        elif answer.status_code not in {429, 500, 503}:
            self.surprises.append(f"{self.email}: {request.key} was answered {answer.status_code}: {answer.text}")

    async def _delete_and_restore(self, request: Request) -> None:
        (generation,) = request.ids
        path = f"/api/generations/{generation}"
        request.deleted = True
        answer = await self._insist("DELETE", path)
        if answer.status_code not in {204, 404}:  # 404: an attempt whose answer was lost had done it
            self.surprises.append(f"{self.email}: deleting {request.key} was answered {answer.status_code}")
        if request.wish.restore:
            answer = await self._insist("POST", f"{path}/restore")
            if answer.status_code == 200:
                request.deleted = False
            elif answer.status_code not in {404, 422}:  # too late for that, after many attempts
                self.surprises.append(f"{self.email}: restoring {request.key} was answered {answer.status_code}")

    async def _insist(self, method: str, path: str, **options: Any) -> httpx.Response:
        for _ in range(ATTEMPTS):
            answer = await self._send(method, path, **options)
            if answer is not None and answer.status_code < 500:
                return answer
            await asyncio.sleep(PAUSE_S)
        raise TimeoutError(f"{method} {path} has no answer")

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response | None:
        self.attempts += 1
        try:
            return await self._client.request(method, next(self._urls) + path, **options)
        except httpx.TransportError:
            return None


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """What went wrong, in Plushify's words; empty if that is not for Plushify to say."""
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return {}
    found: dict[str, Any] = answer.json()
    return found


def submission(photo: bytes, style: str, quality: str, key: str) -> dict[str, Any]:
    """What a client sends, as httpx takes it."""
    return {
        "data": {"style": style, "quality": quality},
        "files": {"image": ("photo.jpg", photo)},
        "headers": {"Idempotency-Key": key},
    }


def photo(user: int, number: int) -> bytes:
    """A photo that no other request has: so a call of the model tells whose it is."""
    colour = [40 + user * 20 % 200, 40 + number * 7 % 200, 40 + number // 28 * 13 % 200]
    ground = pyvips.Image.black(96, 64, bands=3) + colour
    grain = pyvips.Image.gaussnoise(96, 64, sigma=12, mean=0, seed=user * 100_000 + number)
    return bytes((ground + grain).cast("uchar").copy(interpretation="srgb").jpegsave_buffer(Q=85, keep="none"))
