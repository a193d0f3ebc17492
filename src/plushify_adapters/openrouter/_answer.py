"""What an answer says: the picture, and beside it the facts of the call.

The way to the picture is typed and everything else is read with indulgence: a picture that was paid for is not
lost because a number beside it has the wrong type. Nothing here raises, whatever the bytes.
"""

import math
import re
from typing import Any

import msgspec
import pybase64

from plushify_core.domain.model_call import ModelFacts

from ._failures import ProviderError

_LONG_STRING = 64 * 1024
_MAX_QUOTES = 10_000  # an answer has some hundred
_BACKSLASH = ord("\\")
_LIFTED = "lifted:"
_DATA_URL = re.compile(rb"data:[^,;]{0,100}(?:;[^,;]{0,100}){0,4};base64,", re.IGNORECASE)
_MAX_COST_USD = 1_000.0
_MAX_TEXT = 200


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
    """The body of either protocol; some proxies nest a chat completion under `provider`."""

    id: Any = None
    model: Any = None
    provider: "_Body | str | None" = None
    choices: list[_Choice] | None = None
    data: list[_Datum] | None = None
    usage: Any = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Body)


class Answer(msgspec.Struct, frozen=True):
    """A decoded answer.

    `picture` are the bytes of the first picture in it, `address` its address if it came as one. Without either,
    `error`, `refused` and the finish reasons say why. `readable` is False for what is no answer of OpenRouter's.
    """

    facts: ModelFacts = ModelFacts()
    picture: bytes | None = None
    media_type: str | None = None
    address: str | None = None
    error: ProviderError | None = None
    refused: bool = False
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    readable: bool = True


def read_answer(raw: bytes) -> Answer:
    """Reads the body of an answer, whatever its status."""
    text, lifted = _lift_long_strings(raw)
    try:
        body = _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Answer(readable=False)
    if isinstance(body.provider, _Body) and body.choices is None:
        body = body.provider
    choice = body.choices[0] if body.choices else _Choice()
    error = _error(body.error) or _error(choice.error)
    facts = _facts(body, choice, error)
    answer = Answer(
        facts,
        error=error,
        refused=bool(choice.message and choice.message.refusal),
        finish_reason=_text(choice.finish_reason),
        native_finish_reason=_text(choice.native_finish_reason),
    )
    return answer if error else _with_picture(answer, _sources(body), lifted)


def sniff(picture: bytes) -> str | None:
    """The media type of a picture by its first bytes; what the answer says of it can be wrong."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return None


def _lift_long_strings(raw: bytes) -> tuple[bytes, list[memoryview]]:
    """Takes the long strings out of a JSON text, so that no parser walks through megabytes of base64.

    They are found by their quotes, at the speed of memory, and each leaves a short name in its place. Strings with
    an escape in them stay where they are. What was no JSON before is none afterwards, but for the insides of what
    was lifted, which the decoding of base64 checks.
    """
    view = memoryview(raw)
    kept: list[bytes | memoryview] = []
    lifted: list[memoryview] = []
    done, opening, quote = 0, -1, raw.find(b'"')
    for _ in range(_MAX_QUOTES):
        if quote < 0:
            break
        if opening < 0:
            opening = quote
        elif not _is_escaped(raw, quote):
            if quote - opening > _LONG_STRING and raw.find(b"\\", opening, quote) < 0:
                kept += [view[done : opening + 1], f"{_LIFTED}{len(lifted)}".encode()]
                lifted.append(view[opening + 1 : quote])
                done = quote
            opening = -1
        quote = raw.find(b'"', quote + 1)
    return (b"".join([*kept, view[done:]]), lifted) if lifted else (raw, [])


def _is_escaped(raw: bytes, quote: int) -> bool:
    """Whether the quote stands behind an odd number of backslashes."""
    first = quote
    while first and raw[first - 1] == _BACKSLASH:
        first -= 1
    return (quote - first) % 2 == 1


def _sources(body: _Body) -> list[str]:
    """Where pictures are said to be: data URLs, addresses, or bare base64."""
    images = [
        image.image_url for choice in body.choices or () if choice.message for image in choice.message.images or ()
    ]
    urls = [url.url if isinstance(url, _ImageUrl) else url for url in images]
    return [url for url in (*urls, *(datum.b64_json or datum.url for datum in body.data or ())) if url]


def _with_picture(answer: Answer, sources: list[str], lifted: list[memoryview]) -> Answer:
    for source in sources:
        if source.startswith(("https://", "http://")):
            return msgspec.structs.replace(answer, address=source)
        picture = _decoded(_payload(source, lifted))
        if picture is not None and (media_type := sniff(picture)):
            return msgspec.structs.replace(answer, picture=picture, media_type=media_type)
    return answer


def _payload(source: str, lifted: list[memoryview]) -> memoryview:
    index = source.removeprefix(_LIFTED)
    if index != source and index.isdecimal() and int(index) < len(lifted):
        return lifted[int(index)]
    return memoryview(source.encode(errors="replace"))


def _decoded(payload: memoryview) -> bytes | None:
    scheme = _DATA_URL.match(payload)
    try:
        return pybase64.b64decode(payload[scheme.end() :] if scheme else payload, validate=True)
    except ValueError:
        return None


def _facts(body: _Body, choice: _Choice, error: ProviderError | None) -> ModelFacts:
    usage = body.usage if isinstance(body.usage, dict) else {}
    return ModelFacts(
        model=_text(body.model),
        provider=_text(body.provider) or (error.provider if error else None),
        provider_call_id=_text(body.id),
        finish_reason=_text(choice.native_finish_reason) or _text(choice.finish_reason),
        error_type=error.error_type if error else None,
        cost_nano_usd=_cost(usage),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
    )


def _cost(usage: dict[str, Any]) -> int | None:
    """What the call costs us. With a provider key of our own (BYOK), OpenRouter's `cost` is its fee alone, often
    0, and the provider's bill comes on top."""
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


def _text(value: Any) -> str | None:
    """Text to keep in a record: of bounded length, and without characters that a database refuses."""
    if not isinstance(value, str):
        return None
    return "".join(char for char in value[:_MAX_TEXT] if char.isprintable()) or None


def _error(value: Any) -> ProviderError | None:
    """An error object in any of its shapes; its code can be missing, or a string."""
    if not value:
        return None
    if not isinstance(value, dict):
        return ProviderError(message=_text(value) or "")
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    code = value.get("code")
    status = int(code) if isinstance(code, str) and re.fullmatch(r"[1-5]\d\d", code) else _count(code)
    return ProviderError(
        message=_text(value.get("message")) or "",
        status=status,
        error_type=_text(metadata.get("error_type")),
        provider=_text(metadata.get("provider_name")),
        limit_source=_text(metadata.get("limit_source")),
        keys=frozenset(key for key in metadata if metadata[key]),
    )
