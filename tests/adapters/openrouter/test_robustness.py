"""Any response gives a result or a `ModelError` before the deadline.

The responses come from a transport on virtual time, so that slow ones take no real time to test.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pybase64
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plushify_adapters.openrouter import Api, OpenRouterModel, OpenRouterOptions
from plushify_adapters.openrouter import _model as model_module
from plushify_adapters.openrouter._failures import CallFailed
from plushify_adapters.openrouter._fetch import fetch_picture
from plushify_adapters.openrouter._http import HTTP_ERRORS
from plushify_core.domain.model_call import Billing
from plushify_core.ports import EncodedImage, ModelError, ModelResult
from tests import virtual_time
from tests.adapters.openrouter.answers import base64, data_url, drawn
from tests.adapters.openrouter.support import KEY, request_for

TIMEOUT_S = 60.0
PICTURE = b"\x89PNG\r\n\x1a\n and so on"
PHOTO = EncodedImage(data=b"\xff\xd8\xff photo", media_type="image/jpeg", width=3, height=2)
URL = f"data:image/png;base64,{pybase64.b64encode_as_string(PICTURE)}"
USAGE = {"prompt_tokens": 345, "completion_tokens": 1299, "cost": 0.038826, "is_byok": False}
GOOD: dict[Api, dict[str, Any]] = {
    Api.CHAT: {
        "id": "gen-1",
        "provider": "Google",
        "model": "google/gemini-2.5-flash-image",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "native_finish_reason": "STOP",
                "message": {"role": "assistant", "content": "Hi", "images": [{"image_url": {"url": URL}}]},
            }
        ],
        "usage": USAGE,
    },
    Api.IMAGES: {
        "created": 1,
        "data": [{"b64_json": URL.partition(",")[2], "media_type": "image/png"}],
        "usage": USAGE,
    },
}


class Reply(msgspec.Struct):
    """A response, and the delays before its headers and before each chunk of its body, in seconds."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = {}
    headers_after_s: float = 0.0
    chunk_bytes: int = 1000
    chunk_after_s: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedReplyTransport(httpx.AsyncBaseTransport):
    """A transport that gives every POST the same reply, and every GET a 404."""

    reply: Reply

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Read the request, and return the reply."""
        if request.method == "GET":
            return httpx.Response(404)
        assert isinstance(request.stream, httpx.AsyncByteStream)
        async for _ in request.stream:
            pass
        await asyncio.sleep(self.reply.headers_after_s)
        return httpx.Response(self.reply.status, headers=self.reply.headers, stream=DelayedStream(reply=self.reply))


@dataclass(frozen=True, kw_only=True, eq=False)
class DelayedStream(httpx.AsyncByteStream):
    """The body of a reply, with its delays."""

    reply: Reply

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.reply.body), self.reply.chunk_bytes):
            await asyncio.sleep(self.reply.chunk_after_s)
            yield self.reply.body[start : start + self.reply.chunk_bytes]


def outcome_of(reply: Reply, api: Api) -> ModelResult | ModelError:
    """Return the result or the ModelError that a reply leads to, and assert that it comes before the deadline."""

    async def generate() -> ModelResult | ModelError:
        loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(transport=FixedReplyTransport(reply=reply)) as client:
            model = OpenRouterModel(KEY, OpenRouterOptions(api=api, max_answer_bytes=100_000), client=client)
            outcome: ModelResult | ModelError
            try:
                outcome = await model.generate(request_for(PHOTO, timeout_s=TIMEOUT_S))
            except ModelError as error:
                outcome = error
            assert loop.time() <= TIMEOUT_S
            return outcome

    return virtual_time.run(generate())


async def refuse_to_fetch(*_: Any, **__: Any) -> bytes:
    """Replace `fetch_picture`, which has a test of its own."""
    raise httpx.ConnectError("no fetching in this test")


@pytest.fixture(autouse=True)
def _no_fetching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_module, "fetch_picture", refuse_to_fetch)


def mutations(good: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for a good answer with one value removed, duplicated or replaced by any JSON."""
    paths = list(paths_of(good))

    def mutate(path: tuple[Any, ...], kind: str, value: Any) -> Any:
        copy = msgspec.json.decode(msgspec.json.encode(good))
        if not path:
            return value
        parent = copy
        for step in path[:-1]:
            parent = parent[step]
        if kind == "remove":
            del parent[path[-1]]
        elif kind == "duplicate":
            parent[path[-1]] = [parent[path[-1]], parent[path[-1]]]
        else:
            parent[path[-1]] = value
        return copy

    return st.builds(mutate, st.sampled_from(paths), st.sampled_from(["remove", "duplicate", "replace"]), JSON)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every value inside a JSON value, itself included."""
    children = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [path] + [found for key, child in children for found in paths_of(child, (*path, key))]


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["https://example.com/a.png", "error", "extracted:0", "extracted:9", "data:;base64,", "data:,x", "1e999"]
    )
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
STATUS = st.sampled_from([200, 200, 200, 201, 204, 301, 400, 402, 403, 418, 429, 500, 502, 503, 529, 599])
RETRY_AFTER = st.sampled_from(
    ["0", "1", "1e9", "nan", "inf", "-1", "9" * 30, "Wed, 21 Oct 2099 07:28:00 GMT", "x"]
) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
DELAYS = st.sampled_from([0.0, 0.0, 0.1, 5.0, 59.5, 61.0, 1e6])
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Retry-After": RETRY_AFTER,
        "X-Generation-Id": st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300),
        "Content-Encoding": st.sampled_from(["gzip", "deflate", "gzip, gzip", "br", "nonsense"]),
        "Content-Type": st.sampled_from(["text/html", "application/json; charset=nonsense"]),
        "Location": st.sampled_from(["https://xn--/", "//", "http://[", "/"]),
    },
)


def replies(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[Reply]:
    """Return a strategy for replies with these bodies, and with any status, headers and delays."""
    return st.builds(
        Reply,
        body=bodies,
        status=STATUS,
        headers=HEADERS,
        headers_after_s=DELAYS,
        chunk_bytes=st.integers(1, 1000),
        chunk_after_s=DELAYS,
    )


ANY_BYTES = replies(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
ANY_JSON = replies(JSON.map(msgspec.json.encode))
EXAMPLES = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@EXAMPLES
@given(ANY_BYTES | ANY_JSON, st.sampled_from(Api))
def test_any_body_gives_an_error(reply: Reply, api: Api) -> None:
    """Arbitrary bytes or JSON give a `ModelError`, with any status and any delay."""
    assert isinstance(outcome_of(reply, api), ModelError)


@EXAMPLES
@given(st.data(), st.sampled_from(Api))
def test_any_mutation_of_a_good_answer_gives_its_picture_or_an_error(data: st.DataObject, api: Api) -> None:
    """A good answer with one changed value gives its own picture or a `ModelError`."""
    body = data.draw(mutations(GOOD[api]))
    outcome = outcome_of(data.draw(replies(st.just(msgspec.json.encode(body)))), api)

    assert isinstance(outcome, ModelError) or outcome.data == PICTURE


@EXAMPLES
@given(st.lists(JSON, max_size=3), st.lists(JSON, max_size=3), JSON, st.sampled_from(Api))
def test_odd_values_beside_a_picture_lose_nothing(before: list[Any], after: list[Any], odd: Any, api: Api) -> None:
    """Odd entries before and after a good picture lose neither the picture nor its cost."""
    chat = {"content": odd, "images": [*before, {"image_url": {"url": data_url(drawn())}}, *after]}
    body = {
        Api.CHAT: {"choices": [{"message": chat, "error": odd}], "usage": USAGE, "provider": odd},
        Api.IMAGES: {"data": [*before, {"b64_json": base64(drawn())}, *after], "usage": USAGE, "created": odd},
    }[api]

    outcome = outcome_of(Reply(msgspec.json.encode(body)), api)

    assert isinstance(outcome, ModelResult)
    assert outcome.data == drawn()
    assert outcome.facts.cost_nano_usd == 38_826_000


@EXAMPLES
@given(JSON, st.sampled_from([400, 402, 429, 500, 502, 503]), st.sampled_from([0.04, "0.04", {"total": 0.04}]))
def test_an_error_status_with_a_cost_is_billed(odd: Any, status: int, cost: Any) -> None:
    """An error status whose body reports a cost is billed, whatever else is in the body."""
    body = {"choices": odd, "error": {"code": status, "metadata": odd}, "usage": {"cost": cost}, "data": odd}

    outcome = outcome_of(Reply(msgspec.json.encode(body), status), Api.CHAT)

    assert isinstance(outcome, CallFailed)
    assert (outcome.billing, outcome.facts.cost_nano_usd, outcome.facts.attempts) == (Billing.BILLED, 40_000_000, 1)


@EXAMPLES
@given(st.sampled_from(Api), st.integers(0, 1000), st.binary(max_size=5), st.integers(0, 5))
def test_a_damaged_answer_gives_png_bytes_or_an_error(api: Api, position: int, inserted: bytes, removed: int) -> None:
    """A good answer with changed bytes gives data with a PNG signature or a `ModelError`."""
    whole = msgspec.json.encode(GOOD[api])
    body = whole[:position] + inserted + whole[position + removed :]

    outcome = outcome_of(Reply(body), api)

    assert isinstance(outcome, ModelError) or outcome.data.startswith(b"\x89PNG\r\n\x1a\n")


@EXAMPLES
@given(st.sampled_from(Api), st.integers(0, 1000))
def test_a_truncated_answer_has_unknown_billing(api: Api, length: int) -> None:
    """An answer that is cut off anywhere gives a `ModelError` with unknown billing."""
    whole = msgspec.json.encode(GOOD[api])

    outcome = outcome_of(Reply(whole[: min(length, len(whole) - 1)]), api)

    assert isinstance(outcome, ModelError)
    assert outcome.billing is Billing.UNKNOWN


@pytest.mark.parametrize("api", list(Api))
def test_a_deeply_nested_answer_gives_an_error(api: Api) -> None:
    """An answer nested deeper than the parser allows gives a `ModelError`."""
    deep = b'{"error":' + b"[" * 20_000 + b"]" * 20_000 + b"}"

    assert isinstance(outcome_of(Reply(deep), api), ModelError)


URLS = st.text(max_size=60).map(lambda text: f"https://{text}") | st.from_regex(
    r"https://[a-z0-9.\[\]:%@-]{0,20}(:[0-9]{0,6})?(/[a-z?#%]{0,5})?", fullmatch=True
)


@EXAMPLES
@given(URLS, st.sampled_from(["93.184.216.34", "10.0.0.1", "::1", "2606:4700::1"]), st.integers(200, 599), HEADERS)
def test_any_url_gives_bytes_or_a_known_error(url: str, resolved: str, status: int, headers: dict[str, str]) -> None:
    """Any URL gives the bytes it returns or an error that the model handles."""

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (resolved, 443))]

    async def fetch() -> bytes | None:
        transport = httpx.MockTransport(
            lambda _: httpx.Response(status, headers=headers, stream=httpx.ByteStream(PICTURE))
        )
        async with httpx.AsyncClient(transport=transport) as client:
            try:
                return await fetch_picture(client, url, max_bytes=1000, private_hosts=False)
            except (CallFailed, *HTTP_ERRORS):
                return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        assert asyncio.run(fetch()) in {None, PICTURE}
