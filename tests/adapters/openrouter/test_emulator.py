"""The emulator refuses what OpenRouter or its models would not take, in OpenRouter's own shape."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pybase64
import pytest

from plushify_core.ports import EncodedImage
from tests.adapters.openrouter.support import KEY, PROMPT
from tests.emulators.openrouter.errors import ERRORS
from tests.emulators.openrouter.scenarios import SCENARIOS
from tests.emulators.process import OpenRouterEmulator

DOCUMENTATION = (Path(__file__).parents[3] / "docs/openrouter.md").read_text("utf-8")
MODEL = "google/gemini-2.5-flash-image"
TEXT = {"type": "text", "text": PROMPT}


def picture(url: str) -> dict[str, Any]:
    """A picture in a request."""
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.fixture
def client(emulator: OpenRouterEmulator) -> Iterator[httpx.Client]:
    """A client with a key."""
    with httpx.Client(base_url=emulator.base_url, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


@pytest.fixture
def url(photo: EncodedImage) -> str:
    """A photo as a data URL."""
    return f"data:image/jpeg;base64,{pybase64.b64encode_as_string(photo.data)}"


def chat(content: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """A chat request with this content, and other fields changed."""
    message = {"role": "user", "content": content}
    return {"model": MODEL, "messages": [message], "modalities": ["image", "text"]} | changes


def refusal(response: httpx.Response) -> tuple[int, str]:
    """The status and error type of an answer in OpenRouter's shape."""
    error = response.json()["error"]
    assert error["code"] == response.status_code
    assert error["message"]
    return response.status_code, error["metadata"]["error_type"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"modalities": []}, (400, "invalid_request")),
        ({"modalities": ["text"]}, (400, "invalid_request")),
        ({"model": "google/no-such-image"}, (400, "invalid_request")),
        ({"models": ["google/no-such-image"]}, (400, "invalid_request")),
        ({"model": "black-forest-labs/flux.2-pro"}, (404, "not_found")),
        ({"messages": []}, (400, "invalid_request")),
        ({"image_config": {"aspect_ratio": "7:3"}}, (400, "invalid_request")),
        ({"image_config": {"image_size": "2K"}}, (400, "invalid_request")),
        ({"provider": {"data_collection": "maybe"}}, (400, "invalid_request")),
        ({"stream": True}, (400, "invalid_request")),
        ({"resolution": "1K"}, (400, "invalid_request")),
    ],
)
def test_a_chat_request_that_is_wrong(
    changes: dict[str, Any], expected: tuple[int, str], client: httpx.Client, url: str
) -> None:
    """One wrong field, and the request is refused."""
    assert client.post("/chat/completions", json=chat([TEXT, picture(url)])).status_code == 200

    assert refusal(client.post("/chat/completions", json=chat([TEXT, picture(url)], **changes))) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": "google/no-such-image"}, (400, "invalid_request")),
        ({"prompt": ""}, (400, "invalid_request")),
        ({"n": 2}, (400, "invalid_request")),
        ({"resolution": "4K"}, (400, "invalid_request")),
        ({"aspect_ratio": "7:3"}, (400, "invalid_request")),
        ({"input_references": []}, (400, "invalid_request")),
        ({"provider": {"zdr": True}}, (400, "invalid_request")),
        ({"models": [MODEL]}, (400, "invalid_request")),
        ({"modalities": ["image"]}, (400, "invalid_request")),
    ],
)
def test_an_images_request_that_is_wrong(
    changes: dict[str, Any], expected: tuple[int, str], client: httpx.Client, url: str
) -> None:
    """One wrong field, and the request is refused."""
    good = {"model": MODEL, "prompt": PROMPT, "input_references": [picture(url)]}
    assert client.post("/images", json=good).status_code == 200

    assert refusal(client.post("/images", json=good | changes)) == expected


def test_the_picture_before_the_text(client: httpx.Client, url: str) -> None:
    """The text comes first, and once."""
    for content in (
        [picture(url), TEXT],
        [picture(url)],
        [TEXT],
        [TEXT, TEXT, picture(url)],
        [TEXT] + [picture(url)] * 4,
    ):
        assert refusal(client.post("/chat/completions", json=chat(content))) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("wrong_url", "error_type"),
    [
        ("https://example.com/photo.jpg", "unsupported_image_format"),
        ("data:image/gif;base64,R0lGODlh", "unsupported_image_format"),
        ("data:image/jpeg,abc", "unsupported_image_format"),
        ("data:image/jpeg;base64,*not*base64*", "invalid_image"),
        ("data:image/jpeg;base64,/9j", "invalid_image"),
        ("data:image/jpeg;base64,aGVsbG8=", "invalid_image"),
        ("data:image/png;base64,/9j/4AAQ", "invalid_image"),
        ("data:image/jpeg;base64,/9j/" + "A" * 9_400_000, "image_too_large"),
    ],
    ids=lambda value: value[:30],
)
def test_a_photo_that_is_wrong(wrong_url: str, error_type: str, client: httpx.Client) -> None:
    """The photo is a data URL of sound base64, of the type it says, and of at most 7 MB."""
    body = chat([TEXT, picture(wrong_url)])

    assert refusal(client.post("/chat/completions", json=body)) == (400, error_type)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic abc", "Bearer wrong"])
@pytest.mark.parametrize("path", ["/chat/completions", "/images"])
def test_a_key_that_is_wrong(path: str, authorization: str, client: httpx.Client, url: str) -> None:
    """Without a key that looks like OpenRouter's, there is no answer."""
    response = client.post(path, json=chat([TEXT, picture(url)]), headers={"Authorization": authorization})

    assert refusal(response) == (401, "authentication")


def test_a_body_that_is_no_json(client: httpx.Client) -> None:
    """What is no JSON, or does not say that it is, is refused."""
    for content, content_type in ((b"{", "application/json"), (b"{}", "text/plain"), (b"\xff", "application/json")):
        response = client.post("/images", content=content, headers={"Content-Type": content_type})
        assert refusal(response) == (400, "invalid_request")


def test_an_unknown_scenario(emulator: OpenRouterEmulator, client: httpx.Client) -> None:
    """A script with a name that is no scenario's is refused, and the names that are are told."""
    response = client.post(f"{emulator.origin}/_control/script", json=["no_such_scenario"])

    assert response.status_code == 400
    assert "rate_limited" in response.text


def test_what_was_spent(emulator: OpenRouterEmulator, client: httpx.Client, url: str) -> None:
    """A picture costs what its usage says, once, and a failure nothing."""
    emulator.script(["ok", "server_error"])
    for _ in range(2):
        client.post("/chat/completions", json=chat([TEXT, picture(url)]))

    assert client.get("/key").json()["data"]["usage"] == 0.038826


@pytest.mark.parametrize("name", [*SCENARIOS, *ERRORS])
def test_the_documentation_names_every_scenario(name: str) -> None:
    """Whoever works without a key finds each scenario in the documentation."""
    assert f"`{name}`" in DOCUMENTATION
