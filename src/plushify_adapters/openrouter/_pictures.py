"""Search for the picture in a decoded answer, wherever the answer has it.

Models and gateways put pictures in `message.images`, in the parts or the text of `message.content`, in `data`, in
Gemini's `inlineData` and elsewhere, and may put null or other odd values beside them. So the search does not depend on
the structure of the answer: it recognises pictures by their content, and names only exclude what is not the result.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec

from plushify_adapters.openrouter._base64 import decode_base64
from plushify_adapters.openrouter._json import MAX_VALUES
from plushify_adapters.openrouter._picture_checks import MAX_PIXELS, is_blank, is_complete
from plushify_adapters.openrouter._picture_size import picture_size, sniff_media_type

PLACEHOLDER = "extracted:"
"""Prefix of the placeholder of a long string, followed by its index."""

_SHORT_LENGTH = 64
_MAX_IN_TEXT = 64  # pictures in one text
_MAX_URLS = 4
_MAX_KEY_LENGTH = 100
_MAX_URL_LENGTH = 8_000
_DRAFT_TYPE = re.compile(r"partial|draft|reasoning|thinking", re.IGNORECASE)
_DRAFT_STATUS = {"partial", "draft"}
_DRAFT_FLAGS = ("thought", "partial", "is_partial", "draft", "is_draft")
_FINAL_FLAGS = ("final", "is_final")
_PARTIAL_INDEX = "partial_image_index"
_DRAFT_KEYS = {*_DRAFT_FLAGS, *_FINAL_FLAGS, _PARTIAL_INDEX}
_MESSAGES = {"message", "delta"}  # of a choice: it is the answer, whoever is named as its sender
_SENDERS = {"user", "system", "developer"}
# Keys of values that are not the result: a draft, the request, or text about the answer.
_EXCLUDED_KEY = re.compile(
    r"thumb|preview|draft|partial|placeholder|reasoning|thinking|thought"
    r"|^(input|request|prompt|original|reference|source_?image)"
    r"|^(messages|usage|errors?|annotations|citations|tool_calls|logprobs)$",
    re.IGNORECASE,
)
_PICTORIAL_KEY = re.compile(
    r"image|picture|photo|inline_?data|file_?(data|uri)|^(data|output|results?)$", re.IGNORECASE
)
_URL_KEY = re.compile(r"ur[il]|href|src|link|" + _PICTORIAL_KEY.pattern, re.IGNORECASE)
_URL = re.compile(rb"\s*(https?://[^\s\"'<>]+)\s*", re.IGNORECASE)
_LINKED_PICTURE = re.compile(
    rb"!\[[^\]]{0,1000}\]\(\s*<?(https?://[^\s\"'<>)]+)|^\s*(https?://\S+\.(?:png|jpe?g|webp|gif)(?:\?\S*)?)\s*$",
    re.IGNORECASE,
)
_START_OF_BASE64 = re.compile(rb"[\s\"'<(]*(?:iVBORw0KGg|[/_]9j[/_]|UklGR|R0lGOD)")
_START_OF_DATA_URL = re.compile(rb"[\s\"'<(]*(?:data:[^,\s]{0,300}|(?:image/[\w+.-]{1,40};)?base64),", re.IGNORECASE)
# Where base64 begins within a text: after the prefix of a data URL, or with the first bytes of a picture.
_BASE64_IN_TEXT = re.compile(
    rb"(?i:data:[^,\s<>()]{0,300},\s*)|(?<![\w+/-])(?=(?:iVBORw0KGg|[/_]9j[/_]|UklGR|R0lGOD)[A-Za-z0-9+/_-]{20})"
)
_LINES_OF_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+(?:\s+[A-Za-z0-9+/_-]+)*={0,2}")
_LINE_OF_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")


class Picture(msgspec.Struct, frozen=True):
    """Bytes of a picture, and its media type by its first bytes."""

    data: bytes
    media_type: str


def find_pictures(answer: Any, extracted: Sequence[memoryview] = ()) -> tuple[Picture | str, ...]:
    """Return the pictures of an answer as bytes or http(s) URLs, in the order in which to try them.

    Blank pictures and drafts are left out. Of several pictures the largest comes first, and of equally large ones the
    last. A picture whose header cannot be read, or that is incomplete, comes after the URLs.

    Args:
        answer: The decoded JSON.
        extracted: Long strings that placeholders in the answer stand for.
    """
    pictures: list[Picture] = []
    urls: list[str] = []
    for key, text, pictorial in _strings(answer):
        if len(text) < _SHORT_LENGTH and not pictorial and ":" not in text:
            continue  # an id or a word: neither a URL nor long enough for a picture
        payload = _payload(text, extracted)
        found = list(_embedded(payload))
        pictures += found
        if not found and len(payload) <= _MAX_URL_LENGTH:
            urls += _urls(key, payload, pictorial)
    pictures = [picture for picture in pictures if not is_blank(picture.data)]
    urls = list(dict.fromkeys(reversed(urls)))[:_MAX_URLS]
    if len(pictures) + len(urls) <= 1:
        return (*pictures, *urls)
    ranks = [_rank(picture.data) for picture in pictures]
    best = max(range(len(pictures)), key=lambda index: (ranks[index], index), default=None)
    if best is None:
        return tuple(urls)
    sound, known_size, _ = ranks[best]
    return (pictures[best],) if sound and known_size else (*urls, pictures[best])


def picture_of(data: bytes) -> Picture | None:
    """Return the picture that these bytes are, or None if they are none."""
    media_type = sniff_media_type(data)
    return Picture(data, media_type) if media_type else None


def is_draft(value: dict[str, Any]) -> bool:
    """Return whether an object says that its picture is not the final one, as a thought or a partial image does."""
    if not _DRAFT_KEYS.isdisjoint(value) and (
        any(value.get(key) is True for key in _DRAFT_FLAGS)
        or any(value.get(key) is False for key in _FINAL_FLAGS)
        or _PARTIAL_INDEX in value
    ):
        return True
    kind, status = value.get("type"), value.get("status")
    return (isinstance(kind, str) and _DRAFT_TYPE.search(kind) is not None) or (
        isinstance(status, str) and status in _DRAFT_STATUS
    )


def _strings(answer: Any) -> Iterator[tuple[str, str, bool]]:
    """Yield the strings of an answer in order: each with its key, and whether it belongs to a picture."""
    pending: list[tuple[str, Any, bool]] = [("", answer, False)]
    for _ in range(MAX_VALUES):
        if not pending:
            return
        key, value, pictorial = pending.pop()
        if isinstance(value, str):
            yield key, value, pictorial
        elif isinstance(value, list):
            items = reversed(value[:MAX_VALUES])
            pending += [(key, item, pictorial) for item in items if isinstance(item, str | list | dict)]
        elif isinstance(value, dict) and not is_draft(value) and not _is_from_the_request(key, value):
            pictorial = pictorial or "image" in str(value.get("type"))
            for name, child in reversed(value.items()):
                if isinstance(child, str | list | dict) and (kind := _kind_of_key(name)) is not _Key.EXCLUDED:
                    pending.append((name, child, pictorial or kind is _Key.PICTORIAL))


class _Key(Enum):
    """Meaning of a key for the search."""

    EXCLUDED = auto()
    PICTORIAL = auto()
    OTHER = auto()


@lru_cache(maxsize=512)
def _kind_of_key(key: str) -> _Key:
    if _EXCLUDED_KEY.search(key[:_MAX_KEY_LENGTH]):
        return _Key.EXCLUDED
    return _Key.PICTORIAL if _PICTORIAL_KEY.search(key[:_MAX_KEY_LENGTH]) else _Key.OTHER


def _is_from_the_request(key: str, value: dict[str, Any]) -> bool:
    role, kind = value.get("role"), value.get("type")
    return (isinstance(role, str) and role in _SENDERS and key not in _MESSAGES) or (
        isinstance(kind, str) and kind.startswith("input")
    )


def _payload(text: str, extracted: Sequence[memoryview]) -> memoryview:
    index = text.removeprefix(PLACEHOLDER)
    if index != text and index.isdecimal() and int(index) < len(extracted):
        return extracted[int(index)]
    return memoryview(text.encode(errors="replace"))


def _embedded(payload: memoryview) -> Iterator[Picture]:
    """Yield the picture that a string is, as base64 or a data URL, or else the pictures within it."""
    is_picture = _START_OF_BASE64.match(payload) or _START_OF_DATA_URL.match(payload)
    if is_picture and (picture := _decode(payload, lenient=False)):
        yield picture
        return
    starts = [match.end() for match in islice(_BASE64_IN_TEXT.finditer(payload), _MAX_IN_TEXT)]
    if is_picture and not starts and (picture := _decode(payload)):
        yield picture
    for number, start in enumerate(starts):
        # The text after a picture may look like further lines of it, so the shortest complete picture is taken.
        runs = [pattern.match(payload, start) for pattern in (_LINE_OF_BASE64, _LINES_OF_BASE64)]
        texts = [payload[run.start() : run.end()] for run in runs if run]
        if is_picture and number == 0:
            texts.append(payload)
        found = [picture for text in texts if (picture := _decode(text)) and picture_size(picture.data)]
        yield from [picture for picture in found if is_complete(picture.data)][:1] or found[-1:]


def _decode(text: memoryview, *, lenient: bool = True) -> Picture | None:
    data = decode_base64(text, lenient=lenient)
    return None if data is None else picture_of(data)


def _urls(key: str, payload: memoryview, pictorial: bool) -> list[str]:
    """Return the URLs of pictures in a string. A URL counts as one by its context, its extension, or as Markdown."""
    if pictorial and _URL_KEY.search(key) and (url := _URL.fullmatch(payload)):
        return [url[1].decode(errors="replace")]
    links = (match[1] or match[2] for match in _LINKED_PICTURE.finditer(payload)) if key in {"content", "text"} else ()
    return [link.decode(errors="replace") for link in links]


def _rank(picture: bytes) -> tuple[bool, bool, int]:
    """Return the rank of a picture: complete ones first, then those whose size is known, then the largest."""
    size = picture_size(picture)
    pixels = size[0] * size[1] if size else 0
    return is_complete(picture), 0 < pixels <= MAX_PIXELS, pixels if pixels <= MAX_PIXELS else 0
