"""Builders of OpenRouter's answers: a chat completion, an `/images` answer, an error."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import pybase64

from tests.emulators.openrouter.validation import PictureRequest

CREATED = 1763838012
COST_USD = 0.038826
PROMPT_TOKENS = 345
IMAGE_TOKENS = 1290

_JSON = {"Content-Type": "application/json"}

Ending = Literal["complete", "cut", "drop", "stall", "drip"]


class Call(msgspec.Struct, frozen=True):
    """The parts of a call that an answer depends on."""

    api: Literal["chat", "images", "other"]
    generation_id: str
    origin: str
    request: PictureRequest | None = None


class Answer(msgspec.Struct, frozen=True):
    """An HTTP response and its cost.

    `ending` says how the body is sent: `cut` closes the connection halfway, `drop` closes it before the first byte,
    `stall` never answers, and `drip` sends one byte every 50 ms.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=lambda: dict(_JSON))
    ending: Ending = "complete"
    cost_usd: float = 0
    native_finish_reason: str | None = None


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] = {}, cost_usd: float = 0) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(msgspec.json.encode(body), status, {**_JSON, **headers}, cost_usd=cost_usd)


def error_body(status: int, error_type: str | None, message: str, metadata: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Return the JSON of an error."""
    details = {"error_type": error_type, **metadata} if error_type else dict(metadata)
    return {"error": {"code": status, "message": message, "metadata": details}}


def data_url(picture: bytes, media_type: str) -> str:
    """Return a picture as a data URL that declares this media type."""
    return f"data:{media_type};base64,{pybase64.b64encode_as_string(picture)}"


def usage(cost: float | None) -> dict[str, Any]:
    """Return the usage of a call: tokens, and the cost in dollars, 0 for an answer that is not billed."""
    image_tokens = IMAGE_TOKENS if cost else 0
    completion_tokens = image_tokens + 9
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": completion_tokens,
        "total_tokens": PROMPT_TOKENS + completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": image_tokens},
        "cost": cost,
        "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": 0,
            "upstream_inference_completions_cost": cost or 0,
        },
    }


def completion(
    call: Call,
    *,
    images: Sequence[Mapping[str, Any]] | None,
    content: Any = "Here it is!",
    finish: str | None = "stop",
    native: str | None = "STOP",
    error: Mapping[str, Any] | None = None,
    model: str | None = None,
    with_usage: bool = True,
    cost: float | None = COST_USD,
) -> dict[str, Any]:
    """Return the JSON of a `/chat/completions` answer; `images=None` omits the field."""
    assert call.request is not None
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None, "reasoning": None}
    if images is not None:
        message["images"] = images
    choice: dict[str, Any] = {
        "index": 0,
        "logprobs": None,
        "finish_reason": finish,
        "native_finish_reason": native,
        "message": message,
    }
    if error is not None:
        choice["error"] = error
    body: dict[str, Any] = {
        "id": call.generation_id,
        "provider": call.request.model.provider,
        "model": model or call.request.model.id,
        "object": "chat.completion",
        "created": CREATED,
        "system_fingerprint": None,
        "choices": [choice],
    }
    if with_usage:
        body["usage"] = usage(cost)
    return body


def images_body(
    data: Sequence[Mapping[str, Any]] | None, *, with_usage: bool = True, cost: float | None = COST_USD
) -> dict[str, Any]:
    """Return the JSON of an `/images` answer."""
    body: dict[str, Any] = {"created": CREATED, "data": data}
    if with_usage:
        body["usage"] = usage(cost)
    return body


def image_entry(url: str) -> dict[str, Any]:
    """Return the entry for a picture in a `/chat/completions` answer."""
    return {"type": "image_url", "index": 0, "image_url": {"url": url}}


def data_entry(url: str) -> dict[str, Any]:
    """Return the entry for a picture in an `/images` answer: base64 for a data URL, or else the URL unchanged."""
    if (match := re.match(r"data:([^;]*);base64,", url)) is None:
        return {"url": url}
    return {"b64_json": url[match.end() :], "media_type": match[1]}
