"""Pictures returned as a URL: fetched from public hosts only, and within the size limit of answers."""

import socket
from typing import Any

import httpx
import pytest

from plushify_adapters.openrouter import Api, OpenRouterModel, OpenRouterOptions
from plushify_adapters.openrouter._fetch import fetch_picture, is_public
from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing
from plushify_core.ports import EncodedImage, ModelError
from tests.adapters.openrouter.answers import data_url, drawn, encode, flat, images
from tests.adapters.openrouter.support import KEY, ModelOnEmulator, request_for
from tests.emulators.process import OpenRouterEmulator

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("api", list(Api))
async def test_fetches_a_picture_from_its_url(
    api: Api, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """The picture is fetched, from a private host if that is allowed, and its first bytes give the media type."""
    emulator.script(["image_address"])

    async with model_on(api=api, private_image_hosts=True) as model:
        result = await model.generate(request_for(photo))

    assert result.data.startswith(PNG)
    assert result.media_type == "image/png"
    assert result.facts.cost_nano_usd == 38_826_000


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/picture.png",
        "https://127.0.0.1/picture.png",
        "https://localhost/picture.png",
        "https://[::1]/picture.png",
        "https://[::ffff:127.0.0.1]/picture.png",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://2130706433/",
        "https://0/",
        "https://no-such-host.invalid/picture.png",
        "https://" + "a" * 70 + ".com/",
        "https://",
        "https://exa mple/",
        "https://127.0.0.1:99999/",
        "https://xn--/",
    ],
)
async def test_does_not_fetch_from_a_host_that_is_not_public(
    url: str, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """A URL with an invalid or private host is not fetched. There is no second call, as the first one is billed."""
    emulator.script([{"scenario": "image_address", "url": url}])

    async with model_on() as model:
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo))

    assert (raised.value.reason, raised.value.billing) == (Reason.NO_PICTURE, Billing.BILLED)
    assert len(emulator.calls()) == 1


@pytest.mark.parametrize(
    "path", ["/files/nothing.png", "/redirect?to=/redirect", "/redirect?to=https://xn--/", "/_control/requests"]
)
async def test_fails_if_the_url_has_no_picture(
    path: str, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """A 404, a redirect loop or another kind of file is a billed failure."""
    emulator.script([{"scenario": "image_address", "url": emulator.origin + path}])

    async with model_on(private_image_hosts=True) as model:
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo))

    assert (raised.value.reason, raised.value.billing) == (Reason.NO_PICTURE, Billing.BILLED)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff0e::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a00:1::1", False),
        ("2002:808:808::1", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::808:808", False),
        ("64:ff9b:1:ffff:ffff:ffff:a00:1", False),
        ("::", False),
        ("::2", False),
        ("::a00:1", False),
        ("::8.8.8.8", False),
        ("fec0::1", False),
        ("feff:ffff::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("::ffff:8.8.8.8", True),
        ("::ffff:169.254.169.254", False),
        ("::ffff:0:10.0.0.1", False),
        ("::ffff:0:8.8.8.8", False),
        ("2001:0:808:808::f5ff:fffe", False),  # Teredo: client 10.0.0.1
        ("2001:0:a00:1::f7f7:f7f7", False),  # Teredo: server 10.0.0.1
        ("2001:0:808:808::f7f7:f7f7", True),  # Teredo: client 8.8.8.8
        ("2606:4700::5efe:a00:1", False),  # ISATAP of 10.0.0.1
        ("2606:4700::200:5efe:7f00:1", False),
        ("2606:4700::5efe:808:808", True),
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("100::1", False),
        ("5f00::1", False),
        ("4000::1", False),
        ("240.0.0.1", False),
        ("192.0.2.1", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
    ],
)
def test_recognises_public_addresses(address: str, public: bool) -> None:
    """Loopback, private, link-local, shared and multicast addresses are not public, also if embedded in IPv6."""
    assert is_public(address) == public


async def test_tries_the_next_picture_if_a_url_fails(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """A URL that cannot be fetched is skipped, and the next picture of the answer is taken."""
    broken = drawn()[:-30]
    urls = [f"{emulator.origin}/files/nothing.png", "https://127.0.0.1/private.png", data_url(broken)]
    emulator.script([{"scenario": "odd_entries", "entries": urls, "with_picture": False}])

    async with model_on(private_image_hosts=True) as model:
        result = await model.generate(request_for(photo))

    assert result.data == broken
    assert len(emulator.calls()) == 1


async def test_does_not_take_a_blank_picture_from_a_url(monkeypatch: pytest.MonkeyPatch, photo: EncodedImage) -> None:
    """A blank picture at a URL is skipped like one in the answer."""
    internet = FakeInternet(monkeypatch, {"a.example": ["93.184.216.34"]})
    internet.answers = [
        httpx.Response(404),
        httpx.Response(200, content=encode(images("https://a.example/1.png", "https://a.example/2.png"))),
        httpx.Response(200, content=flat(64, 64)),
        httpx.Response(200, content=drawn()),
    ]

    result = await OpenRouterModel(KEY, client=internet.client).generate(request_for(photo))

    assert result.data == drawn()
    assert [str(request.url.path) for request in internet.requests[-2:]] == ["/2.png", "/1.png"]


async def test_reports_the_error_beside_a_url_that_fails(monkeypatch: pytest.MonkeyPatch, photo: EncodedImage) -> None:
    """If the URL in an answer with an error cannot be fetched, the failure is that error."""
    internet = FakeInternet(monkeypatch, {"a.example": ["10.0.0.1"]})
    body = images("https://a.example/1.png", error={"code": 400, "metadata": {"block_reason": "SAFETY"}})
    internet.answers = [httpx.Response(404), httpx.Response(200, content=encode(body))]

    with pytest.raises(ModelError) as raised:
        await OpenRouterModel(KEY, client=internet.client).generate(request_for(photo))

    assert (raised.value.reason, raised.value.billing) == (Reason.CONTENT_POLICY, Billing.BILLED)


class FakeInternet:
    """An HTTP client with scripted responses, and a fake DNS resolver.

    Args:
        monkeypatch: Patches the resolver.
        names: IP addresses of each host; a host with several resolves to the next one at each lookup.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: list[httpx.Response] = []
        self._names = names
        monkeypatch.setattr(socket, "getaddrinfo", self._getaddrinfo)
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _getaddrinfo(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        found = self._names[host]
        addresses = found if len(found) == 1 else [found.pop(0)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answers.pop(0)

    async def fetch(self, url: str, max_bytes: int = 1000) -> bytes:
        """Fetch a picture under the rules for public hosts."""
        return await fetch_picture(self.client, url, max_bytes=max_bytes, private_hosts=False)


async def test_connects_to_the_checked_ip_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name is resolved only once, so that it cannot change to a private address after the check."""
    internet = FakeInternet(monkeypatch, {"cdn.example": ["93.184.216.34", "127.0.0.1"]})
    internet.answers = [httpx.Response(200, content=PNG)]

    assert await internet.fetch("https://cdn.example/a.png?b=c") == PNG

    [request] = internet.requests
    assert str(request.url) == "https://93.184.216.34/a.png?b=c"
    assert request.headers["Host"] == "cdn.example"
    assert request.extensions["sni_hostname"] == "cdn.example"
    assert "Authorization" not in request.headers


async def test_checks_redirects_like_the_first_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect is followed to another public host over https, and to no other URL."""
    internet = FakeInternet(
        monkeypatch, {"a.example": ["93.184.216.34"], "b.example": ["93.184.216.35"], "in.example": ["10.0.0.1"]}
    )
    internet.answers = [
        httpx.Response(302, headers={"Location": "https://b.example/b.png"}),
        httpx.Response(200, content=PNG),
    ]
    assert await internet.fetch("https://a.example/") == PNG

    for location in ("https://in.example/", "http://b.example/", "ftp://b.example/"):
        internet.answers = [httpx.Response(302, headers={"Location": location})]
        with pytest.raises(ModelError):
            await internet.fetch("https://a.example/")
    assert len(internet.requests) == 5


async def test_rejects_a_picture_over_the_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture larger than the limit, or compressed more than once, is rejected."""
    internet = FakeInternet(monkeypatch, {"a.example": ["93.184.216.34"]})
    internet.answers = [
        httpx.Response(200, content=PNG + bytes(1000)),
        httpx.Response(200, headers={"Content-Encoding": "gzip, gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")),
    ]

    for _ in range(2):
        with pytest.raises(ModelError):
            await internet.fetch("https://a.example/")


async def test_does_not_send_the_key_to_the_host_of_a_picture(
    emulator: OpenRouterEmulator, photo: EncodedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host of a picture gets neither the key nor the name of the application."""
    sent: list[httpx.Request] = []

    async def record(request: httpx.Request) -> None:
        sent.append(request)

    emulator.script(["image_address"])
    options = OpenRouterOptions(base_url=emulator.base_url, private_image_hosts=True)
    async with httpx.AsyncClient(event_hooks={"request": [record]}) as client:
        await OpenRouterModel(KEY, options, client=client).generate(request_for(photo))

    [picture_request] = [request for request in sent if request.url.path.startswith("/files/")]
    assert "Authorization" not in picture_request.headers
    assert "X-OpenRouter-Title" not in picture_request.headers
