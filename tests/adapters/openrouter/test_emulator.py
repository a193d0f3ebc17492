"""The emulator rejects requests that OpenRouter or its models would reject, in OpenRouter's error format."""

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
    """Return the part of a request for a picture."""
    return {"type": "image_url", "image_url": {"url": url}}


@pytest.fixture
def client(emulator: OpenRouterEmulator) -> Iterator[httpx.Client]:
    """An HTTP client with a key."""
    with httpx.Client(base_url=emulator.base_url, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client


@pytest.fixture
def url(photo: EncodedImage) -> str:
    """The photo as a data URL."""
    return f"data:image/jpeg;base64,{pybase64.b64encode_as_string(photo.data)}"


def chat(content: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return a chat request with this content and these changed fields."""
    message = {"role": "user", "content": content}
    return {"model": MODEL, "messages": [message], "modalities": ["image", "text"]} | changes


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Return the status and error type of an error response, and assert that it has OpenRouter's format."""
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
def test_rejects_a_chat_request_with_a_wrong_field(
    changes: dict[str, Any], expected: tuple[int, str], client: httpx.Client, url: str
) -> None:
    """A single wrong field makes the request invalid."""
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
def test_rejects_an_images_request_with_a_wrong_field(
    changes: dict[str, Any], expected: tuple[int, str], client: httpx.Client, url: str
) -> None:
    """A single wrong field makes the request invalid."""
    good = {"model": MODEL, "prompt": PROMPT, "input_references": [picture(url)]}
    assert client.post("/images", json=good).status_code == 200

    assert refusal(client.post("/images", json=good | changes)) == expected


def test_rejects_content_other_than_one_text_and_then_pictures(client: httpx.Client, url: str) -> None:
    """The content is one text followed by one to three pictures."""
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
def test_rejects_an_invalid_photo(wrong_url: str, error_type: str, client: httpx.Client) -> None:
    """The photo is a data URL of valid base64, has the declared media type, and is at most 7 MB large."""
    body = chat([TEXT, picture(wrong_url)])

    assert refusal(client.post("/chat/completions", json=body)) == (400, error_type)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Basic abc", "Bearer wrong"])
@pytest.mark.parametrize("path", ["/chat/completions", "/images"])
def test_rejects_a_wrong_key(path: str, authorization: str, client: httpx.Client, url: str) -> None:
    """A missing key, or one without OpenRouter's prefix, is answered with 401."""
    response = client.post(path, json=chat([TEXT, picture(url)]), headers={"Authorization": authorization})

    assert refusal(response) == (401, "authentication")


def test_rejects_a_body_that_is_not_json(client: httpx.Client) -> None:
    """A body that is not JSON, or has another content type, is rejected."""
    for content, content_type in ((b"{", "application/json"), (b"{}", "text/plain"), (b"\xff", "application/json")):
        response = client.post("/images", content=content, headers={"Content-Type": content_type})
        assert refusal(response) == (400, "invalid_request")


def test_rejects_an_unknown_scenario(emulator: OpenRouterEmulator, client: httpx.Client) -> None:
    """A script with an unknown scenario is rejected, and the error lists the known ones."""
    response = client.post(f"{emulator.origin}/_control/script", json=["no_such_scenario"])

    assert response.status_code == 400
    assert "rate_limited" in response.text


def test_usage_adds_up_the_costs(emulator: OpenRouterEmulator, client: httpx.Client, url: str) -> None:
    """A picture adds its cost to the usage of the key, and an error adds nothing."""
    emulator.script(["ok", "server_error"])
    for _ in range(2):
        client.post("/chat/completions", json=chat([TEXT, picture(url)]))

    assert client.get("/key").json()["data"]["usage"] == 0.038826


@pytest.mark.parametrize("name", [*SCENARIOS, *ERRORS])
def test_the_documentation_names_every_scenario(name: str) -> None:
    """The documentation lists every scenario."""
    assert f"`{name}`" in DOCUMENTATION
