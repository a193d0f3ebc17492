"""JSON texts in a response body, which a gateway may pad, or frame as server-sent events."""

import codecs
import re
from collections.abc import Iterator

# White space, a byte order mark, a no-break space and a zero-width space, in UTF-8.
_PADDING = re.compile(rb"(?:[\s\0]|\xef\xbb\xbf|\xc2\xa0|\xe2\x80\x8b)+")
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_IGNORED_LINE = re.compile(rb"\s*(?::|(?:event|id|retry):)")


def json_texts(body: bytes) -> Iterator[bytes]:
    """Yield the JSON texts of a body: the data of each server-sent event, or else the body without its padding.

    The padding is what comes before the JSON: white space, a byte order mark, or comment lines of server-sent events
    such as `: OPENROUTER PROCESSING`. The texts are not checked.
    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """
    text = _strip_padding(body)
    if text[:1] in {b"{", b"["}:  # almost every answer; it is not copied
        yield text
        return
    lines = text.splitlines()
    data: list[bytes] = []
    seen_event = False
    for number, line in enumerate(lines):
        field = line.lstrip()
        if field.startswith(b"data:"):
            data.append(field[len(b"data:") :].strip())
            seen_event = True
        elif not field:
            yield from _joined(data)
            data = []
        elif not _IGNORED_LINE.match(line) and not seen_event:
            yield _strip_padding(b"\n".join(lines[number:]))
            return
    yield from _joined(data)


def _joined(data: list[bytes]) -> Iterator[bytes]:
    if data:
        yield b"\n".join(data)


def _strip_padding(text: bytes) -> bytes:
    if text[:2] in _UTF_16_MARKS:
        text = text.decode("utf-16", errors="replace").encode()
    padding = _PADDING.match(text)
    return text[padding.end() :] if padding and padding.end() else text
