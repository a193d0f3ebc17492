"""Decoder for base64 as models and gateways write it: in lines, without padding, in the URL alphabet."""

import re
from urllib.parse import unquote_to_bytes

import pybase64

_PREFIX = re.compile(rb"[\s\"'<(]*(?:data:[^,]{0,300}|(?:image/[\w+.-]{1,40};)?base64),", re.IGNORECASE)
_MAX_PREFIXES = 3  # a gateway may add the prefix of a data URL to a string that has one
_MAX_CHUNKS = 10_000
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")
_WHITE_SPACE = b" \t\r\n\v\f"
_JSON_ESCAPE = re.compile(rb"\\[nrt]|\\(?=/)")


def decode_base64(text: bytes | memoryview, *, lenient: bool = True) -> bytes | None:
    """Return the bytes of a base64 text, with or without the prefix of a data URL. Returns None if it is invalid.

    Args:
        text: The text.
        lenient: Whether to accept white space, missing padding, the URL alphabet, and escape sequences.
    """
    start = 0
    for _ in range(_MAX_PREFIXES):
        if (prefix := _PREFIX.match(text, start)) is None:
            break
        start = prefix.end()
    payload = memoryview(text)[start:]
    try:
        return pybase64.b64decode(payload, validate=True)
    except ValueError:
        return _decode_leniently(bytes(payload)) if lenient else None


def _decode_leniently(payload: bytes) -> bytes | None:
    if b"%" in payload:
        payload = unquote_to_bytes(payload)
    if b"\\" in payload:  # JSON that was encoded twice
        payload = _JSON_ESCAPE.sub(b"", payload)
    payload = payload.translate(_STANDARD_ALPHABET, delete=_WHITE_SPACE).strip(b"\"'<>()")
    # Base64 that was made of chunks has padding after each of them.
    decoded = [_decode_chunk(chunk) for chunk in payload.split(b"=", _MAX_CHUNKS) if chunk]
    return None if None in decoded else b"".join(chunk for chunk in decoded if chunk)


def _decode_chunk(chunk: bytes) -> bytes | None:
    if len(chunk) % 4 == 1:  # too few bits for another byte
        chunk = chunk[:-1]
    try:
        return pybase64.b64decode(chunk + b"=" * (-len(chunk) % 4), validate=True)
    except ValueError:
        return None
