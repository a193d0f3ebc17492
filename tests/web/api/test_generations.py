"""Generations resource: submission of photos, and the gallery."""

import asyncio
from uuid import UUID, uuid4

import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel
from plushify_core import Billing, Generation, ModelError, Reason, Runner
from plushify_core.ports import ModelRequest, ModelResult
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.web.conftest import PHOTO, Client, Connect, balance, make, submit

pytestmark = pytest.mark.anyio

ASYNC = {"Prefer": "respond-async"}


async def test_submit_returns_the_generation(client: Client) -> None:
    """A submission waits for the end, returns 201 with the generation, and is charged."""
    response = await submit(client)

    generation = response.json()
    url = f"/api/generations/{generation['id']}"
    assert response.status_code == 201
    assert response.headers["Location"] == url
    assert generation == {
        "id": generation["id"],
        "status": "succeeded",
        "style": "kawaii",
        "quality": "standard",
        "creditsCost": 1,
        "originalUrl": f"{url}/original",
        "generatedUrl": f"{url}/generated",
        "thumbnailUrl": f"{url}/thumbnail",
        "placeholder": generation["placeholder"],
        "width": 512,
        "height": 384,
        "createdAt": generation["createdAt"],
        "completedAt": generation["completedAt"],
        "error": None,
    }
    assert generation["placeholder"].startswith("data:")
    assert generation["createdAt"].endswith("Z")
    assert await balance(client) == 2
    assert (await client.get(url)).json() == generation


async def test_prefer_respond_async(client: Client, model: MemoryImageModel) -> None:
    """`Prefer: respond-async` returns 202 at once, with the URL of the unfinished generation (RFC 7240)."""
    model.delay_s = 3600
    response = await submit(client, headers=ASYNC)

    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "respond-async"
    assert response.json()["status"] in {"pending", "running"}
    assert (await client.get(response.headers["Location"])).json()["id"] == response.json()["id"]


async def test_prefer_wait(client: Client, model: MemoryImageModel) -> None:
    """A submission returns 201 if the generation ends within `Prefer: wait=N` seconds, and 202 otherwise."""
    assert (await submit(client, headers={"Prefer": "wait=30"})).status_code == 201
    model.delay_s = 3600
    response = await submit(client, headers={"Prefer": "wait=0"})
    assert (response.status_code, response.headers["Preference-Applied"]) == (202, "wait=0")


async def test_a_generation_continues_after_its_request_is_cancelled(
    client: Client, container: Container, model: MemoryImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generation succeeds even though the request that submitted it is cancelled."""
    called = asyncio.Event()
    proceed = asyncio.Event()
    generate = model.generate

    async def slow(request: ModelRequest) -> ModelResult:
        called.set()
        await proceed.wait()
        return await generate(request)

    monkeypatch.setattr(model, "generate", slow)
    request = asyncio.create_task(submit(client))
    await called.wait()
    request.cancel()
    await asyncio.wait({request})
    proceed.set()

    (generation,) = (await client.get("/api/generations")).json()["items"]
    user_id = (await client.get("/api/session")).json()["user"]["id"]
    ended = await container.plushify().runner.wait(user_id, UUID(generation["id"]), timeout_s=30)
    assert ended.status == "succeeded"


@pytest.mark.parametrize(
    ("reason", "retryable", "status"),
    [
        (Reason.CONTENT_POLICY, False, 502),
        (Reason.MODEL_UNAVAILABLE, True, 502),
        (Reason.TIMEOUT, True, 504),
    ],
)
async def test_a_failed_generation_is_a_problem_and_refunded(
    client: Client, model: MemoryImageModel, reason: Reason, retryable: bool, status: int
) -> None:
    """A failed generation returns a problem and is refunded. The gallery lists it with its error."""
    model.fail_next(ModelError(reason, "as scripted", retryable=retryable, billing=Billing.NOT_BILLED))
    response = await submit(client)

    problem = response.json()
    assert response.status_code == status
    assert problem["code"] == "GENERATION_FAILED"
    assert problem["reason"] == reason
    assert problem["retryable"] is retryable
    assert problem["charged"] is False
    assert problem["balance"] == 3 == await balance(client)
    assert "as scripted" not in response.text
    (kept,) = (await client.get("/api/generations")).json()["items"]
    assert kept["status"] == "failed"
    assert kept["error"] == {
        "code": "GENERATION_FAILED",
        "reason": reason,
        "message": problem["detail"],
        "retryable": retryable,
        "refunded": True,
    }


@pytest.mark.parametrize(
    ("photo", "fields", "status", "reason"),
    [
        (None, {}, 400, "image_missing"),
        (b"", {}, 400, "image_empty"),
        (b"plain text", {}, 415, "unsupported_image_format"),
        (b"P6\n4 3\n255\n" + bytes(7), {}, 400, "image_corrupt"),
        (b"P6\n1 1\n255\n" + bytes(3), {}, 400, "image_too_small"),
        (b"P6\n60000 60000\n255\n", {}, 413, "image_too_many_pixels"),
        (PHOTO, {"style": "baroque"}, 400, "unknown_style"),
        (PHOTO, {"quality": "gigantic"}, 400, "unknown_quality"),
    ],
)
async def test_bad_input_is_not_charged(
    client: Client, container: Container, photo: bytes | None, fields: dict[str, str], status: int, reason: str
) -> None:
    """Each kind of bad input has its own reason. No credit moves and nothing is stored."""
    response = await submit(client, photo, **fields)

    problem = response.json()
    assert (response.status_code, problem["code"], problem["reason"]) == (status, "INVALID_INPUT", reason)
    assert problem["charged"] is False
    blobs: MemoryBlobStore = container.blobs()
    assert (await balance(client), blobs.blobs) == (3, {})


async def test_refuses_a_submission_that_the_balance_does_not_cover(client: Client, model: MemoryImageModel) -> None:
    """A submission whose price exceeds the balance returns 402, and the model is not called."""
    response = await submit(client, quality="ultra")

    assert (response.status_code, response.json()["code"]) == (402, "INSUFFICIENT_CREDITS")
    assert response.json()["charged"] is False
    assert await balance(client) == 3
    assert model.requests == []


async def test_limits_unfinished_generations_per_user(
    client: Client, model: MemoryImageModel, container: Container
) -> None:
    """A submission beyond `max_in_flight_per_user` returns 429 with `Retry-After`, and is not charged."""
    user_id = (await client.get("/api/session")).json()["user"]["id"]
    await container.plushify().credits.add_credits(user_id, 10, reason="test")
    model.delay_s = 3600
    for _ in range(3):
        assert (await submit(client, headers=ASYNC)).status_code == 202
    response = await submit(client, headers=ASYNC)

    assert (response.status_code, response.json()["code"]) == (429, "RATE_LIMITED")
    assert int(response.headers["Retry-After"]) > 0
    assert await balance(client) == 10


async def test_an_idempotency_key_makes_a_submission_repeatable(client: Client, model: MemoryImageModel) -> None:
    """A replay returns the same generation and is not charged. Another request with the same key is refused."""
    first = await submit(client, headers={"Idempotency-Key": "k1"})
    again = await submit(client, headers={"Idempotency-Key": "k1"})
    other = await submit(client, headers={"Idempotency-Key": "k1"}, style="chibi")

    assert again.json() == first.json()
    assert (again.status_code, len(model.requests), await balance(client)) == (201, 1, 2)
    assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")


async def test_a_replay_of_a_deleted_generation_says_that_it_was_charged(client: Client) -> None:
    """A replay of a picture that the user has deleted returns 404, and says that a credit stays taken for it."""
    first = await submit(client, headers={"Idempotency-Key": "k1"})
    await client.delete(f"/api/generations/{first.json()['id']}")
    again = await submit(client, headers={"Idempotency-Key": "k1"})

    assert (again.status_code, again.json()["code"]) == (404, "NOT_FOUND")
    assert (again.json()["charged"], await balance(client)) == (True, 2)


async def test_a_replay_of_a_deleted_failure_says_that_it_was_not_charged(
    client: Client, model: MemoryImageModel
) -> None:
    """A replay of a failure that the user has deleted returns 404, and says that no credit stays taken for it."""
    model.fail_next(ModelError(Reason.CONTENT_POLICY, "no", retryable=False, billing=Billing.NOT_BILLED))
    await submit(client, headers={"Idempotency-Key": "k1"})
    (failed,) = (await client.get("/api/generations")).json()["items"]
    await client.delete(f"/api/generations/{failed['id']}")
    again = await submit(client, headers={"Idempotency-Key": "k1"})

    assert (again.status_code, again.json()["code"]) == (404, "NOT_FOUND")
    assert (again.json()["charged"], await balance(client)) == (False, 3)


async def test_a_deletion_during_the_wait_says_whether_the_request_was_charged(
    client: Client, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If another client deletes the picture before the answer is sent, the answer says that a credit stays taken."""
    gallery, wait = container.plushify().gallery, Runner.wait

    async def delete_first(self: Runner, user_id: str, generation_id: UUID, *, timeout_s: float) -> Generation:
        await wait(self, user_id, generation_id, timeout_s=timeout_s)
        await gallery.delete(user_id, generation_id)
        return await wait(self, user_id, generation_id, timeout_s=timeout_s)

    monkeypatch.setattr(Runner, "wait", delete_first)
    response = await submit(client)

    assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND")
    assert (response.json()["charged"], await balance(client)) == (True, 2)


async def test_a_read_of_a_deleted_generation_is_not_charged(client: Client) -> None:
    """A request that costs nothing is never reported as charged, also if it names a deleted picture."""
    generation = await make(client)
    await client.delete(f"/api/generations/{generation['id']}")
    assert (await client.get(f"/api/generations/{generation['id']}")).json()["charged"] is False


async def test_idempotency_keys_are_per_user(client: Client, stranger: Client) -> None:
    """Two users can use the same idempotency key."""
    mine = await submit(client, headers={"Idempotency-Key": "same"})
    theirs = await submit(stranger, headers={"Idempotency-Key": "same"})
    assert (theirs.status_code, theirs.json()["id"] == mine.json()["id"]) == (201, False)


async def test_lists_generations_in_pages(client: Client) -> None:
    """Pages are newest first by default, and have the cursor of the next page and the total number of generations."""
    ids = [(await make(client))["id"] for _ in range(3)]

    first = (await client.get("/api/generations", params={"limit": 2})).json()
    assert ([item["id"] for item in first["items"]], first["total"]) == ([ids[2], ids[1]], 3)
    last = (await client.get("/api/generations", params={"limit": 2, "cursor": first["nextCursor"]})).json()
    assert ([item["id"] for item in last["items"]], last["nextCursor"]) == ([ids[0]], None)
    oldest = (await client.get("/api/generations", params={"sort": "oldest"})).json()
    assert [item["id"] for item in oldest["items"]] == ids
    none = (await client.get("/api/generations", params={"style": "chibi"})).json()
    assert none == {"items": [], "nextCursor": None, "total": 0}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"cursor": "not-a-cursor"}, "invalid_cursor"),
        ({"limit": "0"}, "invalid_request"),
        ({"limit": "101"}, "invalid_request"),
        ({"limit": "many"}, "invalid_request"),
        ({"sort": "random"}, "invalid_request"),
    ],
)
async def test_refuses_invalid_pages(client: Client, query: dict[str, str], reason: str) -> None:
    """An invalid cursor, limit or order is refused."""
    response = await client.get("/api/generations", params=query)
    assert (response.status_code, response.json()["reason"]) == (400, reason)


async def test_refuses_a_filter_with_nul_characters(client: Client) -> None:
    """A filter with a NUL character, which PostgreSQL cannot compare, is refused."""
    for field in ("style", "quality"):
        response = await client.get("/api/generations", params={field: "\0"})
        assert (response.status_code, response.json()["reason"]) == (400, "invalid_request")


async def test_delete_and_restore(client: Client) -> None:
    """A deleted generation disappears from the gallery and from every URL at once. A restored one is unchanged."""
    generation = await make(client)
    url = f"/api/generations/{generation['id']}"

    assert (await client.delete(url)).status_code == 204
    for deleted in (url, generation["originalUrl"], generation["generatedUrl"], generation["thumbnailUrl"]):
        assert (await client.get(deleted)).status_code == 404
    assert (await client.delete(url)).status_code == 404
    assert (await client.get("/api/generations")).json()["total"] == 0

    restored = await client.post(f"{url}/restore")
    assert (restored.status_code, restored.json()) == (200, generation)
    assert (await client.get(url)).json() == generation


class TestAfterTheUndoWindow:
    @pytest.fixture
    def settings(self) -> Settings:
        """Return settings without an undo window."""
        return Settings(undo_delete_s=0, drain_s=0)

    async def test_a_deleted_generation_cannot_be_restored(self, client: Client, container: Container) -> None:
        """Restoring is refused. The next sweep purges row and blobs, and after that the generation does not exist."""
        generation = await make(client)
        url = f"/api/generations/{generation['id']}"
        await client.delete(url)
        late = await client.post(f"{url}/restore")
        assert (late.status_code, late.json()["reason"]) == (422, "undo_window_over")

        await container.plushify().sweeper.sweep_blobs()
        blobs: MemoryBlobStore = container.blobs()
        assert blobs.blobs == {}
        assert (await client.post(f"{url}/restore")).status_code == 404


async def test_an_unfinished_generation_cannot_be_deleted(client: Client, model: MemoryImageModel) -> None:
    """Deleting an unfinished generation is refused."""
    model.delay_s = 3600
    url = (await submit(client, headers=ASYNC)).headers["Location"]

    response = await client.delete(url)
    assert (response.status_code, response.json()["reason"]) == (422, "generation_unfinished")


async def test_generations_of_other_users_do_not_exist(client: Client, stranger: Client, connect: Connect) -> None:
    """Another user gets 404 at every URL of a generation, with every method, and finds it in no list."""
    generation = await make(client)
    url = f"/api/generations/{generation['id']}"
    for method, address in (
        ("GET", url),
        ("DELETE", url),
        ("POST", f"{url}/restore"),
        ("GET", generation["originalUrl"]),
        ("GET", generation["generatedUrl"]),
        ("GET", generation["thumbnailUrl"]),
    ):
        response = await stranger.request(method, address)
        assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND"), (method, address)
    assert (await stranger.get("/api/generations")).json()["items"] == []
    assert (await stranger.get("/api/credits/entries")).json()["items"][0]["kind"] == "grant"
    assert (await client.get(url)).json() == generation


async def test_every_private_route_needs_a_session(visitor: Client) -> None:
    """Without a session, every route with data of a user returns 401."""
    url = f"/api/generations/{uuid4()}"
    for method, address in (
        ("GET", "/api/credits"),
        ("GET", "/api/credits/entries"),
        ("GET", "/api/generations"),
        ("POST", "/api/generations"),
        ("GET", url),
        ("DELETE", url),
        ("POST", f"{url}/restore"),
        ("GET", f"{url}/original"),
        ("GET", f"{url}/generated"),
        ("GET", f"{url}/thumbnail"),
    ):
        response = await visitor.request(method, address)
        assert (response.status_code, response.json()["reason"]) == (401, "sign_in_required"), (method, address)


async def test_options_needs_no_session(visitor: Client) -> None:
    """OPTIONS works without a session on a route that needs one for other methods."""
    assert (await visitor.options("/api/generations")).status_code < 500


async def test_private_data_is_not_cached(client: Client) -> None:
    """Responses with lists, the balance, the statement or the session are not stored by caches."""
    for path in ("generations", "credits", "credits/entries", "session"):
        assert "no-store" in (await client.get(f"/api/{path}")).headers["Cache-Control"], path
