"""Parser of error objects, in all the shapes that OpenRouter, its providers and gateways give them."""

import re
from typing import Any

import msgspec

from plushify_adapters.openrouter._failures import BY_ERROR_TYPE, ProviderError, normalise_reason
from plushify_adapters.openrouter._json import as_count, as_object, as_text, walk

_STATUS = re.compile(r"[1-5]\d\d", re.ASCII)
_REASON_KEY = re.compile(r"(block|finish|stop)_?reasons?$", re.IGNORECASE)
# Such a key with its value in a string, which may hold JSON, or JSON encoded several times.
_REASON_IN_TEXT = re.compile(r"(block|finish|stop)_?reason[\\\"'\s:=]{1,20}([A-Za-z][\w.-]{0,60})", re.IGNORECASE)
_NOT_A_REASON = {"", "NONE", "NULL", "UNSPECIFIED"}


def parse_error(value: Any) -> ProviderError | None:
    """Parse an error object. Its code may be missing or a string, and any field may have another type."""
    if not value:
        return None
    details = as_object(value)
    metadata = as_object(details.get("metadata"))
    code = details.get("code")
    status = int(code) if isinstance(code, str) and _STATUS.fullmatch(code) else as_count(code)
    error = ProviderError(
        message=as_text(details.get("message")) or as_text(value) or "",
        status=status,
        error_type=as_text(metadata.get("error_type")) or _known_type(details.get("type")) or _known_type(code),
        provider=as_text(metadata.get("provider_name")),
        limit_source=as_text(metadata.get("limit_source")),
        keys=frozenset(key for key in metadata if metadata[key]),
    )
    block_reason, finish_reasons = find_reasons(value)
    return msgspec.structs.replace(error, block_reason=block_reason, finish_reasons=finish_reasons)


def find_reasons(value: Any) -> tuple[str | None, tuple[str, ...]]:
    """Return the block reason and the finish reasons in any part of a JSON value, even in JSON within a string.

    Gemini explains a blocked prompt only so, e.g. by `{"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}` in
    the metadata of an error.
    """
    found: list[tuple[str, str]] = []
    for key, child in walk({"": value}):
        if (named := _REASON_KEY.search(key)) is not None:
            texts = child if isinstance(child, list) else [child]
            found += [(named[1], text) for text in texts if isinstance(text, str)]
        elif isinstance(child, str):
            found += _REASON_IN_TEXT.findall(child)
    reasons = [(kind.lower(), normalise_reason(reason)) for kind, reason in found]
    reasons = [(kind, reason) for kind, reason in reasons if reason not in _NOT_A_REASON]
    block_reason = next((as_text(reason) for kind, reason in reasons if kind == "block"), None)
    return block_reason, tuple(reason for kind, reason in reasons if kind != "block")


def _known_type(value: Any) -> str | None:
    return value if isinstance(value, str) and value in BY_ERROR_TYPE else None
