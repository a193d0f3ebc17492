"""JSON in a body that a gateway has padded, or framed as server-sent events."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plushify_adapters.openrouter._answer import read_answer
from plushify_adapters.openrouter._framing import json_texts
from tests.adapters.openrouter.answers import COST_NANO_USD, USAGE, base64, drawn, encode, entry, images

GOOD = encode(images(entry(drawn())))
COMMENT = b": OPENROUTER PROCESSING\n\n"
PADDINGS = [
    b"",
    COMMENT,
    COMMENT * 3,
    COMMENT.replace(b"\n", b"\r\n"),
    b":\n",
    b" ",
    b"\n" * 200,
    b"\r\n \t\r\n",
    b"\xef\xbb\xbf",
    b"\0\0",
    "\u200b\u00a0".encode(),
]


@pytest.mark.parametrize(("first", "second"), list(product(PADDINGS, PADDINGS)))
def test_ignores_padding(first: bytes, second: bytes) -> None:
    """Comments, white space and byte order marks before the JSON are ignored, in any order."""
    for body in (GOOD, GOOD.replace(b",", b",\n ")):
        answer = read_answer(first + second + body)
        assert (answer.picture, answer.facts.cost_nano_usd) == (drawn(), COST_NANO_USD)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_reads_any_unicode_encoding_with_a_mark(encoding: str) -> None:
    """A byte order mark tells the encoding."""
    assert read_answer(GOOD.decode().encode(encoding)).picture == drawn()


@pytest.mark.parametrize(
    "body",
    [
        b"data: " + GOOD,
        b"data:" + GOOD + b"\n\n",
        b"data: " + GOOD + b"\r\n\r\ndata: [DONE]\r\n\r\n",
        COMMENT + b"event: message\nid: 1\nretry: 10\ndata: " + GOOD + b"\n\n" + COMMENT + b"data: [DONE]\n\n",
        b"\xef\xbb\xbf" + COMMENT + b"data: " + GOOD + b"\n\n",
        b"data: " + GOOD[:-1] + b"\ndata: }\n\n",
        b"data: {}\n\ndata: nonsense\n\ndata: " + GOOD + b"\n\n",
        b'{"status": "processing"}\n' + GOOD + b"\n",
        b"[" + GOOD + b"]",
        encode(GOOD.decode()),
        b"[null, 7, {}, " + GOOD + b"]",
    ],
)
def test_reads_events(body: bytes) -> None:
    """An answer in a server-sent event, or in a list, is read like any other."""
    answer = read_answer(body)

    assert (answer.picture, answer.facts.cost_nano_usd) == (drawn(), COST_NANO_USD)


def test_merges_the_events_of_a_stream() -> None:
    """The picture, the reason and the cost may come in different events; a draft is not the picture."""
    events: list[Any] = [
        {"id": "gen-1", "choices": [{"delta": {"content": "Here"}}]},
        {"choices": [{"delta": {"images": [entry(drawn())]}}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": None},
        {"choices": [], "usage": USAGE},
        {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": base64(drawn(96, 64))},
    ]

    answer = read_answer(b"".join(b"data: " + encode(event) + b"\n\n" for event in events))

    assert answer.picture == drawn()
    assert (answer.facts.provider_call_id, answer.facts.cost_nano_usd) == ("gen-1", COST_NANO_USD)


def test_reads_the_completed_event_of_an_images_stream() -> None:
    """The completed event has the final picture and the cost."""
    partial = {"type": "image_generation.partial_image", "partial_image_index": 0, "b64_json": base64(drawn(96, 64))}
    completed = {"type": "image_generation.completed", "b64_json": base64(drawn()), "usage": USAGE}

    answer = read_answer(b"".join(b"data: " + encode(event) + b"\n\n" for event in (partial, completed)))

    assert (answer.picture, answer.facts.cost_nano_usd) == (drawn(), COST_NANO_USD)


@pytest.mark.parametrize("body", [b"", b" \n", COMMENT, b"<!DOCTYPE html>", b"data: [DONE]\n\n", b"[]", b"7", b"null"])
def test_a_body_without_an_object_is_unreadable(body: bytes) -> None:
    """A body without a JSON object is no answer."""
    assert not read_answer(body).readable


def test_does_not_copy_a_body_without_padding() -> None:
    """The usual body is not copied, as it has megabytes."""
    [text] = json_texts(GOOD)

    assert text is GOOD


@given(st.binary(max_size=60) | st.text(':{}[]\n\r dat,"1', max_size=60).map(str.encode))
def test_any_body_is_read_without_an_error(body: bytes) -> None:
    """Any bytes are split and decoded without an error."""
    list(json_texts(body))
    read_answer(body)
