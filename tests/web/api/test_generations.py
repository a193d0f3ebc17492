"""Making plushies over HTTP, and the gallery."""

import asyncio
import gc
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryImageModel
from plushify_core import Billing, ModelError, Reason
from plushify_core.ports import ModelRequest, ModelResult
from plushify_web.api.generations import FORM_MAX_PARTS
from plushify_web.container import Container
from plushify_web.settings import Settings
from tests.web.conftest import PHOTO, Client, Connect, balance, make, submit

pytestmark = pytest.mark.anyio

ASYNC = {"Prefer": "respond-async"}


async def test_a_photo_becomes_a_picture(client: Client) -> None:
    """Submitting waits for the end and answers 201 with the generation, whose price is taken."""
    response = await submit(client)

    made = response.json()
    url = f"/api/generations/{made['id']}"
    assert response.status_code == 201
    assert response.headers["Location"] == url
    assert made == {
        "id": made["id"],
        "status": "succeeded",
        "style": "kawaii",
        "quality": "standard",
        "creditsCost": 1,
        "originalUrl": f"{url}/original",
        "generatedUrl": f"{url}/generated",
        "thumbnailUrl": f"{url}/thumbnail",
        "placeholder": made["placeholder"],
        "width": 512,
        "height": 384,
        "createdAt": made["createdAt"],
        "completedAt": made["completedAt"],
        "error": None,
    }
    assert made["placeholder"].startswith("data:")
    assert made["createdAt"].endswith("Z")
    assert await balance(client) == 2
    assert (await client.get(url)).json() == made


async def test_a_client_that_does_not_want_to_wait(client: Client, model: MemoryImageModel) -> None:
    """`Prefer: respond-async` answers 202 at once, with the address at which the end will be seen (RFC 7240)."""
    model.delay_s = 3600
    response = await submit(client, headers=ASYNC)

    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "respond-async"
    assert response.json()["status"] in {"pending", "running"}
    assert (await client.get(response.headers["Location"])).json()["id"] == response.json()["id"]


async def test_a_client_that_waits_a_while(client: Client, model: MemoryImageModel) -> None:
    """`Prefer: wait=0` runs out at once; a wait that is long enough ends with the picture."""
    assert (await submit(client, headers={"Prefer": "wait=30"})).status_code == 201
    model.delay_s = 3600
    response = await submit(client, headers={"Prefer": "wait=0"})
    assert (response.status_code, response.headers["Preference-Applied"]) == (202, "wait=0")


async def test_who_goes_away_loses_nothing(
    client: Client, container: Container, model: MemoryImageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generation goes on when the request that submitted it is cancelled."""
    called = asyncio.Event()
    go_on = asyncio.Event()
    generate = model.generate

    async def slow(request: ModelRequest) -> ModelResult:
        called.set()
        await go_on.wait()
        return await generate(request)

    monkeypatch.setattr(model, "generate", slow)
    request = asyncio.create_task(submit(client))
    await called.wait()
    request.cancel()
    await asyncio.wait({request})
    go_on.set()

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
async def test_a_failure_is_a_problem_and_costs_nothing(
    client: Client, model: MemoryImageModel, reason: Reason, retryable: bool, status: int
) -> None:
    """A failed generation answers its problem, refunded; the gallery keeps it with its error."""
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
async def test_bad_input_costs_nothing(
    client: Client, container: Container, photo: bytes | None, fields: dict[str, str], status: int, reason: str
) -> None:
    """What cannot be carried out says why; no credit moves and nothing is stored."""
    response = await submit(client, photo, **fields)

    problem = response.json()
    assert (response.status_code, problem["code"], problem["reason"]) == (status, "INVALID_INPUT", reason)
    assert problem["charged"] is False
    blobs: MemoryBlobStore = container.blobs()
    assert (await balance(client), blobs.blobs) == (3, {})


async def test_bodies_that_are_no_form(client: Client) -> None:
    """A body of another kind, a form that breaks off and a text in the wrong encoding are problems, not bugs."""
    url = "/api/generations"
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    field = b'--x\r\nContent-Disposition: form-data; name="style"\r\n'
    assert (await client.post(url, json={"style": "kawaii"})).status_code == 415
    assert (await client.post(url)).status_code == 415
    for content in (
        b"",
        b"nonsense",
        field + b"\r\nkaw",
        field + b"\r\n\xff\xfe\r\n--x--\r\n",
        field + b"Content-Type: text/plain; charset=nonsense\r\n\r\nkawaii\r\n--x--\r\n",
        b"".join(field + b"\r\nkawaii\r\n" for _ in range(100)) + b"--x--\r\n",
    ):
        response = await client.post(url, content=content, headers=boundary)
        assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT"), content


async def test_a_form_has_few_parts(client: Client) -> None:
    """More parts than the form has fields are refused, whatever they are called."""
    parts = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nany\r\n' % number
        for number in range(FORM_MAX_PARTS + 1)
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    response = await client.post("/api/generations", content=parts + b"--x--\r\n", headers=headers)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")


async def test_what_no_database_can_compare(client: Client) -> None:
    """A filter with a NUL character is refused before a database sees it."""
    for field in ("style", "quality"):
        response = await client.get("/api/generations", params={field: "\0"})
        assert (response.status_code, response.json()["reason"]) == (400, "invalid_request")


async def test_a_method_that_nobody_serves_is_no_bug(visitor: Client) -> None:
    """OPTIONS, which needs no sign-in, answers for routes that do."""
    assert (await visitor.options("/api/generations")).status_code < 500


async def test_what_is_private_is_not_cached(client: Client) -> None:
    """Lists, balances and statements are kept by no cache."""
    for path in ("generations", "credits", "credits/entries", "session"):
        assert "no-store" in (await client.get(f"/api/{path}")).headers["Cache-Control"], path


class TestTheLimitOfAnUpload:
    @pytest.fixture
    def settings(self) -> Settings:
        """A small limit."""
        return Settings(max_upload_bytes=1000, drain_s=0)

    async def test_a_photo_over_the_limit(self, client: Client) -> None:
        """A photo that is too large is refused by its size, with the limit."""
        response = await submit(client, PHOTO + bytes(1000))
        assert (response.status_code, response.json()["reason"]) == (413, "image_too_large")

    # Litestar 2.25 leaves the temporary file it was writing to the garbage collector, which closes it with a warning.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
    async def test_a_body_without_end_is_not_read(self, client: Client) -> None:
        """Reading stops at the limit, whether the length is told beforehand or not."""
        read = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal read
            yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
            while True:
                read += 65_536
                yield bytes(65_536)

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        response = await client.post("/api/generations", content=endless(), headers=headers)
        gc.collect()  # here, and not in the middle of a test that has nothing to do with it
        assert (response.status_code, response.json()["reason"]) == (413, "image_too_large")
        assert read <= 4 * 65_536


async def test_without_credits_there_is_no_picture(client: Client, model: MemoryImageModel) -> None:
    """A submission that the balance does not cover is refused with 402 and the balance."""
    response = await submit(client, quality="ultra")

    assert (response.status_code, response.json()["code"]) == (402, "INSUFFICIENT_CREDITS")
    assert response.json()["charged"] is False
    assert await balance(client) == 3
    assert model.requests == []


async def test_too_many_at_once(client: Client, model: MemoryImageModel, container: Container) -> None:
    """Beyond `max_in_flight_per_user` a submission is told when to come back."""
    user_id = (await client.get("/api/session")).json()["user"]["id"]
    await container.plushify().credits.add_credits(user_id, 10, reason="test")
    model.delay_s = 3600
    for _ in range(3):
        assert (await submit(client, headers=ASYNC)).status_code == 202
    response = await submit(client, headers=ASYNC)

    assert (response.status_code, response.json()["code"]) == (429, "RATE_LIMITED")
    assert int(response.headers["Retry-After"]) > 0
    assert await balance(client) == 10


async def test_the_same_key_is_the_same_generation(client: Client, model: MemoryImageModel) -> None:
    """Sent again with its idempotency key, a submission is answered again and charged once."""
    first = await submit(client, headers={"Idempotency-Key": "k1"})
    again = await submit(client, headers={"Idempotency-Key": "k1"})
    other = await submit(client, headers={"Idempotency-Key": "k1"}, style="chibi")

    assert again.json() == first.json()
    assert (again.status_code, len(model.requests), await balance(client)) == (201, 1, 2)
    assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")


async def test_the_gallery_in_pages(client: Client) -> None:
    """The gallery is listed newest first, in pages that know where the next begins and how many there are."""
    made = [(await make(client))["id"] for _ in range(3)]

    first = (await client.get("/api/generations", params={"limit": 2})).json()
    assert ([item["id"] for item in first["items"]], first["total"]) == ([made[2], made[1]], 3)
    last = (await client.get("/api/generations", params={"limit": 2, "cursor": first["nextCursor"]})).json()
    assert ([item["id"] for item in last["items"]], last["nextCursor"]) == ([made[0]], None)
    oldest = (await client.get("/api/generations", params={"sort": "oldest"})).json()
    assert [item["id"] for item in oldest["items"]] == made
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
async def test_pages_that_do_not_exist(client: Client, query: dict[str, str], reason: str) -> None:
    """A page that cannot be is refused."""
    response = await client.get("/api/generations", params=query)
    assert (response.status_code, response.json()["reason"]) == (400, reason)


async def test_deleting_and_bringing_back(client: Client) -> None:
    """What is deleted is gone from the gallery and from every address at once, and comes back as it was."""
    made = await make(client)
    url = f"/api/generations/{made['id']}"

    assert (await client.delete(url)).status_code == 204
    for gone in (url, made["originalUrl"], made["generatedUrl"], made["thumbnailUrl"]):
        assert (await client.get(gone)).status_code == 404
    assert (await client.delete(url)).status_code == 404
    assert (await client.get("/api/generations")).json()["total"] == 0

    restored = await client.post(f"{url}/restore")
    assert (restored.status_code, restored.json()) == (200, made)
    assert (await client.get(url)).json() == made


class TestWhenTheUndoWindowIsOver:
    @pytest.fixture
    def settings(self) -> Settings:
        """An undo window of no length."""
        return Settings(undo_delete_s=0, drain_s=0)

    async def test_what_is_deleted_does_not_come_back(self, client: Client, container: Container) -> None:
        """It is too late to restore; the next sweep erases row and blobs, and then there is nothing to restore."""
        made = await make(client)
        url = f"/api/generations/{made['id']}"
        await client.delete(url)
        late = await client.post(f"{url}/restore")
        assert (late.status_code, late.json()["reason"]) == (422, "undo_window_over")

        await container.plushify().sweeper.sweep_blobs()
        blobs: MemoryBlobStore = container.blobs()
        assert blobs.blobs == {}
        assert (await client.post(f"{url}/restore")).status_code == 404


async def test_what_is_being_made_cannot_be_deleted(client: Client, model: MemoryImageModel) -> None:
    """An unfinished generation stays."""
    model.delay_s = 3600
    url = (await submit(client, headers=ASYNC)).headers["Location"]

    response = await client.delete(url)
    assert (response.status_code, response.json()["reason"]) == (422, "generation_unfinished")


async def test_what_is_not_yours_does_not_exist(client: Client, stranger: Client, connect: Connect) -> None:
    """To everybody else a generation is not there: by no method, at no address, in no list."""
    made = await make(client)
    url = f"/api/generations/{made['id']}"
    for method, address in (
        ("GET", url),
        ("DELETE", url),
        ("POST", f"{url}/restore"),
        ("GET", made["originalUrl"]),
        ("GET", made["generatedUrl"]),
        ("GET", made["thumbnailUrl"]),
    ):
        response = await stranger.request(method, address)
        assert (response.status_code, response.json()["code"]) == (404, "NOT_FOUND"), (method, address)
    assert (await stranger.get("/api/generations")).json()["items"] == []
    assert (await stranger.get("/api/credits/entries")).json()["items"][0]["kind"] == "grant"
    assert (await client.get(url)).json() == made


async def test_a_key_belongs_to_its_user(client: Client, stranger: Client) -> None:
    """Two users may use the same idempotency key."""
    mine = await submit(client, headers={"Idempotency-Key": "same"})
    theirs = await submit(stranger, headers={"Idempotency-Key": "same"})
    assert (theirs.status_code, theirs.json()["id"] == mine.json()["id"]) == (201, False)


async def test_nobody_gets_nothing(visitor: Client) -> None:
    """Whoever is not signed in is asked to sign in, at every address that is somebody's."""
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
