"""Decoder of response bodies: the facts of the call, its pictures, and its error.

Each of them is read apart from the others and without a schema, so that an odd value in one place loses nothing
elsewhere. Decoding never raises.
"""

import json
import re
from typing import Any

import msgspec

from plushify_adapters.openrouter._errors import find_reasons, parse_error
from plushify_adapters.openrouter._failures import ProviderError
from plushify_adapters.openrouter._framing import json_texts
from plushify_adapters.openrouter._json import as_object, as_text
from plushify_adapters.openrouter._pictures import PLACEHOLDER, Picture, find_pictures, is_draft
from plushify_adapters.openrouter._usage import Usage, read_usage
from plushify_core.domain.model_call import ModelFacts

_LONG_STRING_BYTES = 64 * 1024
_MAX_QUOTES = 10_000  # a genuine answer has a few hundred
_BACKSLASH = ord("\\")
_MAX_EVENTS = 10_000
_NOT_WHITE_SPACE = re.compile(r"\S")
_LENIENT_DECODER = json.JSONDecoder(strict=False)
# Keys under which gateways nest an answer, and the keys by which an answer is recognised.
_WRAPPERS = ("provider", "response", "result", "data", "body", "completion")
_ANSWER_KEYS = ("choices", "candidates", "data", "images", "output", "error")
_FINISH_REASONS = ("native_finish_reason", "finish_reason", "finishReason")
_PROMPT_FEEDBACK = ("promptFeedback", "prompt_feedback", "block_reason", "blockReason")


class Answer(msgspec.Struct, frozen=True):
    """Decoded answer.

    Attributes:
        facts: Facts of the call.
        charged: Whether the answer reports a cost other than 0, even one that cannot be read.
        pictures: Pictures as bytes or http(s) URLs, in the order in which to try them.
        error: Error object, if there is one.
        refused: Whether the model or its provider refused the request.
        finish_reason: OpenRouter's finish reason.
        native_finish_reason: The provider's own finish reason.
        readable: Whether the body has the format of OpenRouter's answers.
    """

    facts: ModelFacts = ModelFacts()
    charged: bool = False
    pictures: tuple[Picture | str, ...] = ()
    error: ProviderError | None = None
    refused: bool = False
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    readable: bool = True

    @property
    def picture(self) -> bytes | None:
        """Bytes of the first picture, unless it is a URL."""
        return self.pictures[0].data if self.pictures and isinstance(self.pictures[0], Picture) else None

    @property
    def media_type(self) -> str | None:
        """Media type of `picture`."""
        return self.pictures[0].media_type if self.pictures and isinstance(self.pictures[0], Picture) else None

    @property
    def picture_url(self) -> str | None:
        """URL of the first picture, if it is one."""
        return self.pictures[0] if self.pictures and isinstance(self.pictures[0], str) else None


def read_answer(raw: bytes) -> Answer:
    """Decode the body of a response with any status."""
    extracted: list[memoryview] = []
    body = _decode_body(raw, extracted)
    if body is None:
        return Answer(readable=False)
    usage = read_usage(body)
    inner = _unwrap(body)
    choices = _choices(inner)
    choice = next((choice for choice in choices if any(choice.get(key) for key in _FINISH_REASONS)), {})
    errors = (body.get("error"), inner.get("error"), *(choice.get("error") for choice in choices))
    error = next((found for value in errors if (found := parse_error(value))), None)
    feedback = {key: inner[key] for key in _PROMPT_FEEDBACK if key in inner}
    block_reason = find_reasons(feedback)[0] if feedback else None
    return Answer(
        _model_facts(inner, choice, usage, error, block_reason),
        charged=usage.charged,
        pictures=find_pictures(body, extracted),
        error=error,
        refused=block_reason is not None or any(map(_is_refusal, choices)),
        finish_reason=as_text(choice.get("finish_reason")) or as_text(choice.get("finishReason")),
        native_finish_reason=as_text(choice.get("native_finish_reason")),
    )


def _decode_body(raw: bytes, extracted: list[memoryview]) -> dict[str, Any] | None:
    """Return the JSON object in a body; the objects of several events or of a list are merged.

    Returns None if there is no object.
    """
    objects: list[dict[str, Any]] = []
    for text in json_texts(raw):
        for value in _decode_json(_extract_long_strings(text, extracted)):
            # A string is JSON that was encoded twice.
            items = value if isinstance(value, list) else [as_object(value) if isinstance(value, str) else value]
            objects += [item for item in items if isinstance(item, dict)]
    if len(objects) <= 1:
        return objects[0] if objects else None
    merged: dict[str, Any] = {}
    for item in objects:
        final = {"usage": item.get("usage")} if is_draft(item) else item
        for key, value in final.items():
            known = merged.get(key)
            if isinstance(known, list) and isinstance(value, list):
                known.extend(value)
            elif value is not None or key not in merged:
                merged[key] = value
    return merged


def _decode_json(text: bytes) -> list[Any]:
    """Decode the JSON values in a text, which has one. Never raises.

    If the text is invalid, stray bytes within strings and after the end are ignored, and further values are decoded.
    """
    try:
        return [msgspec.json.decode(text)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    values: list[Any] = []
    lines, position = text.decode(errors="replace"), 0
    try:
        while len(values) < _MAX_EVENTS and (start := _NOT_WHITE_SPACE.search(lines, position)):
            value, position = _LENIENT_DECODER.raw_decode(lines, start.start())
            values.append(value)
    except (ValueError, RecursionError):
        pass
    return values


def _extract_long_strings(raw: bytes, extracted: list[memoryview]) -> bytes:
    """Replace the long strings of a JSON text by placeholders, so that the parser need not scan megabytes of base64.

    Appends the strings to `extracted`, and returns the shortened text. Strings are located by searching for quotes;
    strings with an escape sequence are left in place. Invalid JSON stays invalid, except inside an extracted string,
    whose content the base64 decoder validates.
    """
    view = memoryview(raw)
    kept: list[bytes | memoryview] = []
    done, opening, quote = 0, -1, raw.find(b'"')
    for _ in range(_MAX_QUOTES):
        if quote < 0:
            break
        if opening < 0:
            opening = quote
        elif not _is_escaped(raw, quote):
            if quote - opening > _LONG_STRING_BYTES and raw.find(b"\\", opening, quote) < 0:
                kept += [view[done : opening + 1], f"{PLACEHOLDER}{len(extracted)}".encode()]
                extracted.append(view[opening + 1 : quote])
                done = quote
            opening = -1
        quote = raw.find(b'"', quote + 1)
    return b"".join([*kept, view[done:]]) if kept else raw


def _is_escaped(raw: bytes, quote: int) -> bool:
    """Return whether an odd number of backslashes precedes the quote."""
    first = quote
    while first and raw[first - 1] == _BACKSLASH:
        first -= 1
    return (quote - first) % 2 == 1


def _unwrap(body: dict[str, Any]) -> dict[str, Any]:
    """Return the answer that a gateway has nested under another key, or else the body itself."""
    if body.get("choices") is not None:
        return body
    nested = (body.get(key) for key in _WRAPPERS)
    return next(
        (inner for inner in nested if isinstance(inner, dict) and not inner.keys().isdisjoint(_ANSWER_KEYS)), body
    )


def _choices(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the choices of a completion, or the candidates of Gemini's own format."""
    for key in ("choices", "candidates"):
        value = body.get(key)
        choices = [choice for choice in (value if isinstance(value, list) else [value]) if isinstance(choice, dict)]
        if choices:
            return choices
    return []


def _is_refusal(choice: dict[str, Any]) -> bool:
    """Return whether the message of a choice, or a part of it, is a refusal."""
    message = as_object(choice.get("message"))
    content = message.get("content")
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return bool(message.get("refusal")) or any(part.get("refusal") for part in parts)


def _model_facts(
    body: dict[str, Any],
    choice: dict[str, Any],
    usage: Usage,
    error: ProviderError | None,
    block_reason: str | None,
) -> ModelFacts:
    reasons = (
        *(choice.get(key) for key in _FINISH_REASONS),
        block_reason,
        *((error.block_reason, *error.finish_reasons) if error else ()),
    )
    return ModelFacts(
        model=as_text(body.get("model")),
        provider=as_text(body.get("provider")) or (error.provider if error else None),
        provider_call_id=as_text(body.get("id")),
        finish_reason=next((text for reason in reasons if (text := as_text(reason))), None),
        error_type=error.error_type if error else None,
        cost_nano_usd=usage.cost_nano_usd,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
    )
