"""Decoder of response bodies: the picture, and the facts of the call.

Only the path to the picture is typed strictly. The other fields are read leniently, so that a malformed number does
not lose a picture that was paid for. Decoding never raises.
"""

import math
import re
from typing import Any

import msgspec
import pybase64

from plushify_adapters.openrouter._failures import ProviderError
from plushify_core.domain.model_call import ModelFacts

_LONG_STRING_BYTES = 64 * 1024
_MAX_QUOTES = 10_000  # a genuine answer has a few hundred
_BACKSLASH = ord("\\")
_PLACEHOLDER = "extracted:"
_DATA_URL = re.compile(rb"data:[^,;]{0,100}(?:;[^,;]{0,100}){0,4};base64,", re.IGNORECASE)
_MAX_COST_USD = 1_000.0
_MAX_TEXT_LENGTH = 200


class _ImageUrl(msgspec.Struct):
    url: str = ""


class _Image(msgspec.Struct):
    image_url: _ImageUrl | str | None = None


class _Message(msgspec.Struct):
    images: list[_Image] | None = None
    refusal: Any = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: Any = None
    native_finish_reason: Any = None
    error: Any = None


class _Datum(msgspec.Struct):
    b64_json: str | None = None
    url: str | None = None


class _Body(msgspec.Struct):
    """Response body of the chat API or of the images API. Some proxies nest a chat completion under `provider`."""

    id: Any = None
    model: Any = None
    provider: "_Body | str | None" = None
    choices: list[_Choice] | None = None
    data: list[_Datum] | None = None
    usage: Any = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Body)


class Answer(msgspec.Struct, frozen=True):
    """Decoded answer.

    Attributes:
        facts: Facts of the call.
        picture: Bytes of the first valid picture, if the answer contains them.
        media_type: Media type of `picture`, by its first bytes.
        picture_url: URL to fetch the picture from, if the answer contains that instead.
        error: Error object, if there is one.
        refused: Whether the model refused the request.
        finish_reason: OpenRouter's finish reason.
        native_finish_reason: The provider's own finish reason.
        readable: Whether the body has the format of OpenRouter's answers.
    """

    facts: ModelFacts = ModelFacts()
    picture: bytes | None = None
    media_type: str | None = None
    picture_url: str | None = None
    error: ProviderError | None = None
    refused: bool = False
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    readable: bool = True


def read_answer(raw: bytes) -> Answer:
    """Decode the body of a response with any status."""
    text, extracted = _extract_long_strings(raw)
    try:
        body = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Answer(readable=False)
    if isinstance(body.provider, _Body) and body.choices is None:
        body = body.provider
    choice = body.choices[0] if body.choices else _Choice()
    error = _parse_error(body.error) or _parse_error(choice.error)
    facts = _model_facts(body, choice, error)
    answer = Answer(
        facts,
        error=error,
        refused=bool(choice.message and choice.message.refusal),
        finish_reason=_clean_text(choice.finish_reason),
        native_finish_reason=_clean_text(choice.native_finish_reason),
    )
    return answer if error else _with_picture(answer, _picture_sources(body), extracted)


def sniff_media_type(picture: bytes) -> str | None:
    """Return the media type of a picture by its first bytes, because the declared one can be wrong.

    Returns None if it is not a PNG, JPEG or WebP file.
    """
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return None


def _extract_long_strings(raw: bytes) -> tuple[bytes, list[memoryview]]:
    """Replace the long strings of a JSON text by placeholders, so that the parser need not scan megabytes of base64.

    Returns the shortened text and the extracted strings. Strings are located by searching for quotes; strings with an
    escape sequence are left in place. Invalid JSON stays invalid, except inside an extracted string, whose content
    the base64 decoder validates.
    """
    view = memoryview(raw)
    kept: list[bytes | memoryview] = []
    extracted: list[memoryview] = []
    done, opening, quote = 0, -1, raw.find(b'"')
    for _ in range(_MAX_QUOTES):
        if quote < 0:
            break
        if opening < 0:
            opening = quote
        elif not _is_escaped(raw, quote):
            if quote - opening > _LONG_STRING_BYTES and raw.find(b"\\", opening, quote) < 0:
                kept += [view[done : opening + 1], f"{_PLACEHOLDER}{len(extracted)}".encode()]
                extracted.append(view[opening + 1 : quote])
                done = quote
            opening = -1
        quote = raw.find(b'"', quote + 1)
    return (b"".join([*kept, view[done:]]), extracted) if extracted else (raw, [])


def _is_escaped(raw: bytes, quote: int) -> bool:
    """Return whether an odd number of backslashes precedes the quote."""
    first = quote
    while first and raw[first - 1] == _BACKSLASH:
        first -= 1
    return (quote - first) % 2 == 1


def _picture_sources(body: _Body) -> list[str]:
    """Return the pictures of an answer as data URLs, http(s) URLs, or plain base64."""
    images = [
        image.image_url for choice in body.choices or () if choice.message for image in choice.message.images or ()
    ]
    urls = [url.url if isinstance(url, _ImageUrl) else url for url in images]
    return [url for url in (*urls, *(datum.b64_json or datum.url for datum in body.data or ())) if url]


def _with_picture(answer: Answer, sources: list[str], extracted: list[memoryview]) -> Answer:
    for source in sources:
        if source.startswith(("https://", "http://")):
            return msgspec.structs.replace(answer, picture_url=source)
        picture = _decode_base64(_payload(source, extracted))
        if picture is not None and (media_type := sniff_media_type(picture)):
            return msgspec.structs.replace(answer, picture=picture, media_type=media_type)
    return answer


def _payload(source: str, extracted: list[memoryview]) -> memoryview:
    index = source.removeprefix(_PLACEHOLDER)
    if index != source and index.isdecimal() and int(index) < len(extracted):
        return extracted[int(index)]
    return memoryview(source.encode(errors="replace"))


def _decode_base64(payload: memoryview) -> bytes | None:
    prefix = _DATA_URL.match(payload)
    try:
        return pybase64.b64decode(payload[prefix.end() :] if prefix else payload, validate=True)
    except ValueError:
        return None


def _model_facts(body: _Body, choice: _Choice, error: ProviderError | None) -> ModelFacts:
    usage = body.usage if isinstance(body.usage, dict) else {}
    return ModelFacts(
        model=_clean_text(body.model),
        provider=_clean_text(body.provider) or (error.provider if error else None),
        provider_call_id=_clean_text(body.id),
        finish_reason=_clean_text(choice.native_finish_reason) or _clean_text(choice.finish_reason),
        error_type=error.error_type if error else None,
        cost_nano_usd=_cost_nano_usd(usage),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
    )


def _cost_nano_usd(usage: dict[str, Any]) -> int | None:
    """Return the total cost of the call in nano-dollars, or None if it is unknown.

    If the account uses its own provider key (BYOK), `cost` is only OpenRouter's fee, often 0, and the provider's
    price is added.
    """
    parts = [usage.get("cost")]
    if usage.get("is_byok") is True:
        details = usage.get("cost_details")
        parts.append(details.get("upstream_inference_cost") if isinstance(details, dict) else None)
    total = 0
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, int | float):
            return None
        if not (math.isfinite(part) and 0 <= part <= _MAX_COST_USD):
            return None
        total += round(part * 1e9)
    return total


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**31 else None


def _clean_text(value: Any) -> str | None:
    """Return text that can be stored: of limited length, without control characters, which databases reject."""
    if not isinstance(value, str):
        return None
    return "".join(char for char in value[:_MAX_TEXT_LENGTH] if char.isprintable()) or None


def _parse_error(value: Any) -> ProviderError | None:
    """Parse an error object in any of its shapes: its code may be missing or a string."""
    if not value:
        return None
    if not isinstance(value, dict):
        return ProviderError(message=_clean_text(value) or "")
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    code = value.get("code")
    status = int(code) if isinstance(code, str) and re.fullmatch(r"[1-5]\d\d", code) else _count(code)
    return ProviderError(
        message=_clean_text(value.get("message")) or "",
        status=status,
        error_type=_clean_text(metadata.get("error_type")),
        provider=_clean_text(metadata.get("provider_name")),
        limit_source=_clean_text(metadata.get("limit_source")),
        keys=frozenset(key for key in metadata if metadata[key]),
    )
