"""Helpers for decoded JSON whose structure and types are not known."""

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

MAX_VALUES = 100_000
"""Number of objects and lists, and of values in each, after which a search ends; an answer has a few hundred."""

_MAX_TEXT_LENGTH = 200


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key of a JSON value with its value, at any depth, the outermost first.

    The items of a list have the key `""`.
    """
    pending = deque([value])
    for _ in range(MAX_VALUES):
        if not pending:
            return
        current = pending.popleft()
        items = current.items() if isinstance(current, dict) else (("", item) for item in current)
        children = list(islice(items, MAX_VALUES))
        yield from children
        pending.extend(child for _, child in children if isinstance(child, dict | list))


def as_object(value: Any) -> dict[str, Any]:
    """Return a JSON object as a dictionary, even if it is the first object of a list, or JSON in a string.

    Returns an empty dictionary for any other value.
    """
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return {}
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    return value if isinstance(value, dict) else {}


def as_count(value: Any) -> int | None:
    """Return a count that fits in a database column, or None for any other value."""
    return value if type(value) is int and 0 <= value < 2**31 else None


def as_text(value: Any) -> str | None:
    """Return text that can be stored: of limited length, without control characters, which databases reject."""
    if not isinstance(value, str):
        return None
    text = value[:_MAX_TEXT_LENGTH]
    return (text if text.isprintable() else "".join(filter(str.isprintable, text))) or None
