"""Pictures that come as an address: fetched from public hosts only, within the limits of any answer."""

import socket
from typing import Any

import httpx
import pytest

from plushify_adapters.openrouter import Api, OpenRouterModel, OpenRouterOptions
from plushify_adapters.openrouter._fetch import fetch_picture, is_public
from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing
from plushify_core.ports import EncodedImage, ModelError
from tests.adapters.openrouter.support import KEY, ModelOnEmulator, request_for
from tests.emulators.process import OpenRouterEmulator

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("api", list(Api))
async def test_a_picture_by_its_address(
    api: Api, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """Where private hosts are allowed, the picture is fetched, and its bytes tell what it is."""
    emulator.script(["image_address"])

    async with model_on(api=api, private_image_hosts=True) as model:
        result = await model.generate(request_for(photo))

    assert result.data.startswith(PNG)
    assert result.media_type == "image/png"
    assert result.facts.cost_nano_usd == 38_826_000


@pytest.mark.parametrize(
    "address",
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
async def test_an_address_that_is_not_public(
    address: str, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """It is not fetched. The picture was paid for, so there is no second call."""
    emulator.script([{"scenario": "image_address", "url": address}])

    async with model_on() as model:
        with pytest.raises(ModelError) as raised:
            await model.generate(request_for(photo))

    assert (raised.value.reason, raised.value.billing) == (Reason.NO_PICTURE, Billing.BILLED)
    assert len(emulator.calls()) == 1


@pytest.mark.parametrize(
    "path", ["/files/nothing.png", "/redirect?to=/redirect", "/redirect?to=https://xn--/", "/_control/requests"]
)
async def test_no_picture_at_the_address(
    path: str, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """Nothing there, redirects without end, or something else than a picture: a failure that is billed."""
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
    ],
)
def test_what_is_public(address: str, public: bool) -> None:
    """Loopback, private, link-local, shared and multicast addresses are not, in whatever form they come."""
    assert is_public(address) == public


class Internet:
    """A transport that serves hosts by the address of the connection, and a resolver for their names."""

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

    async def fetch(self, address: str, max_bytes: int = 1000) -> bytes:
        """Fetch by the rules for public hosts."""
        return await fetch_picture(self.client, address, max_bytes=max_bytes, private_hosts=False)


async def test_the_connection_is_made_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that turns private after it was checked leads nowhere else: it is resolved once."""
    internet = Internet(monkeypatch, {"cdn.example": ["93.184.216.34", "127.0.0.1"]})
    internet.answers = [httpx.Response(200, content=PNG)]

    assert await internet.fetch("https://cdn.example/a.png?b=c") == PNG

    [request] = internet.requests
    assert str(request.url) == "https://93.184.216.34/a.png?b=c"
    assert request.headers["Host"] == "cdn.example"
    assert request.extensions["sni_hostname"] == "cdn.example"
    assert "Authorization" not in request.headers


async def test_a_redirect_is_checked_like_the_first_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A public host may send us to another public one, and not to a private one."""
    internet = Internet(
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


async def test_a_picture_that_is_too_large_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read than an answer may have, and compression does not get around it."""
    internet = Internet(monkeypatch, {"a.example": ["93.184.216.34"]})
    internet.answers = [
        httpx.Response(200, content=PNG + bytes(1000)),
        httpx.Response(200, headers={"Content-Encoding": "gzip, gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")),
    ]

    for _ in range(2):
        with pytest.raises(ModelError):
            await internet.fetch("https://a.example/")


async def test_the_key_stays_with_openrouter(
    emulator: OpenRouterEmulator, photo: EncodedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host of the picture sees neither the key nor who calls."""
    seen: list[httpx.Request] = []

    async def remember(request: httpx.Request) -> None:
        seen.append(request)

    emulator.script(["image_address"])
    options = OpenRouterOptions(base_url=emulator.base_url, private_image_hosts=True)
    async with httpx.AsyncClient(event_hooks={"request": [remember]}) as client:
        await OpenRouterModel(KEY, options, client=client).generate(request_for(photo))

    [of_the_picture] = [request for request in seen if request.url.path.startswith("/files/")]
    assert "Authorization" not in of_the_picture.headers
    assert "X-OpenRouter-Title" not in of_the_picture.headers
