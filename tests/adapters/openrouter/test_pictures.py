"""Search for the picture: found wherever an answer has it, whatever is beside it, and never a draft or a blank one."""

import textwrap
from typing import Any

import pybase64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plushify_adapters.openrouter import _answer
from plushify_adapters.openrouter._answer import read_answer
from tests.adapters.openrouter.answers import (
    COST_NANO_USD,
    USAGE,
    base64,
    chat,
    data_url,
    drawn,
    encode,
    entry,
    flat,
    images,
)

GOOD = drawn()
SMALL = drawn(24, 16)
LARGE = drawn(96, 64)
URL = "https://cdn.example/a.png"

PLACES: dict[str, Any] = {
    "an image part": chat({"content": [{"type": "text", "text": "Here."}, entry(GOOD)]}),
    "an image part with a string": chat({"content": [{"type": "image_url", "image_url": data_url(GOOD)}]}),
    "an output_image part": chat({"content": [{"type": "output_image", "image_url": data_url(GOOD)}]}),
    "an output_image part with base64": chat({"content": [{"type": "output_image", "image_base64": base64(GOOD)}]}),
    "an image part with a source": chat(
        {"content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64(GOOD)}}]}
    ),
    "inline_data": chat({"content": [{"inline_data": {"mime_type": "image/png", "data": base64(GOOD)}}]}),
    "inlineData": chat({"content": {"parts": [{"inlineData": {"mimeType": "image/png", "data": base64(GOOD)}}]}}),
    "content that is a data URL": chat({"content": data_url(GOOD)}),
    "content that is base64": chat({"content": base64(GOOD)}),
    "Markdown in the content": chat({"content": f"Here it is!\n\n![a plushie]({data_url(GOOD)})\nEnjoy."}),
    "HTML in the content": chat({"content": f'<img src="{data_url(GOOD)}" alt="a, b">'}),
    "a data URL before text": chat({"content": f"{data_url(GOOD)} is your plushie"}),
    "a data URL before lines of text": chat({"content": f"{data_url(GOOD)}\nEnjoy your plushie"}),
    "JSON in the content": chat({"content": encode({"image": data_url(GOOD)}).decode()}),
    "a data URL of another type": chat({"content": f"![](data:application/octet-stream;base64,{base64(GOOD)})"}),
    "a data URL without a type": chat({"content": f"![](data:;base64,{base64(GOOD)})"}),
    "base64 in a code block": chat({"content": f"Here:\n```\n{base64(GOOD)}\n```"}),
    "base64 in JSON in the content": chat({"content": encode({"b64_json": base64(GOOD)}).decode()}),
    "a message with an odd role": chat({"role": "user", "images": [entry(GOOD)]}),
    "predictions": {"predictions": [{"bytesBase64Encoded": base64(GOOD), "mimeType": "image/png"}], "usage": USAGE},
    "a text part": chat({"content": [{"type": "text", "text": f"![]({data_url(GOOD)})"}]}),
    "a data URL as the entry": images(data_url(GOOD)),
    "base64 as the entry": images(base64(GOOD)),
    "one entry without a list": chat({"images": entry(GOOD)}),
    "one string without a list": chat({"images": data_url(GOOD)}),
    "image_url as a string": images({"image_url": data_url(GOOD)}),
    "url": images({"url": data_url(GOOD)}),
    "b64_json": images({"b64_json": base64(GOOD)}),
    "image": images({"image": base64(GOOD)}),
    "image_base64": images({"image_base64": data_url(GOOD)}),
    "a nested image_url": images({"image_url": {"url": {"url": data_url(GOOD)}}}),
    "message.image": chat({"content": None, "image": {"b64_json": base64(GOOD)}}),
    "message.image_url": chat({"content": None, "image_url": data_url(GOOD)}),
    "a delta": {"choices": [{"delta": {"images": [entry(GOOD)]}}], "usage": USAGE},
    "a choice after an odd one": {"choices": [None, 7, {"message": {"images": [entry(GOOD)]}}], "usage": USAGE},
    "choices without a list": {"choices": {"message": {"images": [entry(GOOD)]}}, "usage": USAGE},
    "a message that is a string": {"choices": [{"message": data_url(GOOD)}], "usage": USAGE},
    "data[].b64_json": {"data": [{"b64_json": base64(GOOD)}], "usage": USAGE},
    "data[].url": {"data": [{"url": data_url(GOOD), "b64_json": None}], "usage": USAGE},
    "data without a list": {"data": {"b64_json": base64(GOOD)}, "usage": USAGE},
    "data that is a string": {"data": base64(GOOD), "usage": USAGE},
    "images of the body": {"images": [{"url": data_url(GOOD)}], "usage": USAGE},
    "the body": {"created": 0, "b64_json": base64(GOOD), "usage": USAGE},
    "Gemini's candidates": {
        "candidates": [{"content": {"parts": [{"text": "Hi"}, {"inlineData": {"data": base64(GOOD)}}]}}],
        "usage": USAGE,
    },
    "an output item": {"output": [{"type": "image_generation_call", "result": base64(GOOD)}], "usage": USAGE},
    "an answer nested in data": {"data": images(entry(GOOD))},
    "an answer nested in response": {"response": images(entry(GOOD))},
}


@pytest.mark.parametrize("long_string_bytes", [40, 64 * 1024])
@pytest.mark.parametrize("place", PLACES)
def test_finds_the_picture(place: str, long_string_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture and its cost are found in every place where models and gateways put it.

    It makes no difference whether the picture is long enough to be extracted before the JSON is decoded.
    """
    monkeypatch.setattr(_answer, "_LONG_STRING_BYTES", long_string_bytes)

    answer = read_answer(encode(PLACES[place]))

    assert (answer.picture, answer.media_type) == (GOOD, "image/png")
    assert answer.facts.cost_nano_usd == COST_NANO_USD


ODD_ENTRIES: list[Any] = [
    None,
    "",
    "a plushie",
    7,
    0.5,
    True,
    [],
    {},
    [None],
    {"type": "image_url"},
    {"type": 7, "image_url": {}},
    {"image_url": None},
    {"image_url": 7},
    {"image_url": {"url": None}},
    {"image_url": {"url": 7}},
    {"image_url": {"url": []}},
    {"image_url": {"url": ""}},
    {"image_url": {"url": "data:image/png;base64,"}},
    {"image_url": {"url": "data:image/png;base64,iVBORw0KGgo*not*base64*"}},
    {"image_url": {"url": "data:image/png;base64,aGVsbG8="}},
    {"image_url": {"url": "extracted:0"}},
    {"image_url": {"url": "ftp://cdn.example/a.png"}},
    {"type": {"a": []}, "role": [], "status": {}, "thought": 3, "final": "yes"},
    {"b64_json": {"data": 1}, "url": [1], "index": "x"},
]


@pytest.mark.parametrize("odd", ODD_ENTRIES, ids=repr)
def test_skips_an_odd_entry(odd: Any) -> None:
    """An odd entry before or after the picture, over either API, hides neither the picture nor its cost."""
    for body in (
        images(odd, entry(GOOD)),
        images(entry(GOOD), odd),
        {"data": [odd, {"b64_json": base64(GOOD)}, odd], "usage": USAGE},
        chat({"content": [odd, entry(GOOD), odd]}),
        {"choices": [odd, {"message": {"images": [entry(GOOD)]}}], "usage": USAGE},
        {"data": [{"b64_json": base64(GOOD)}], "usage": USAGE, "provider": odd, "id": odd, "model": odd},
    ):
        answer = read_answer(encode(body))
        assert (answer.picture, answer.facts.cost_nano_usd) == (GOOD, COST_NANO_USD)


def url_alphabet(text: str) -> str:
    """Return base64 in the alphabet for URLs."""
    return text.replace("+", "-").replace("/", "_")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.rstrip("="),
        url_alphabet,
        lambda text: url_alphabet(text).rstrip("="),
        lambda text: text + "==",
        lambda text: "\n".join(textwrap.wrap(text, 76)),
        lambda text: "\r\n".join(textwrap.wrap(text, 64)) + "\r\n",
        lambda text: " " + text.replace("A", "A ") + "\t",
        lambda text: url_alphabet("\n".join(textwrap.wrap(text.rstrip("="), 60))),
        lambda text: text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
        lambda text: "data:image/png;base64," + text,
        lambda text: f'"{text}"',
        lambda text: "\\n".join(textwrap.wrap(text, 76)),
        lambda text: "".join(base64(pybase64.b64decode(text)[start : start + 100]) for start in range(0, 10**5, 100)),
    ],
    ids=[
        "no padding",
        "URL alphabet",
        "URL alphabet without padding",
        "too much padding",
        "lines",
        "CRLF",
        "spaces",
        "URL alphabet in lines",
        "percent-encoded",
        "two prefixes",
        "quoted",
        "escaped twice",
        "chunks",
    ],
)
@pytest.mark.parametrize("size", [(48, 32), (49, 32), (50, 33), (400, 300)])
def test_reads_any_form_of_base64(change: Any, size: tuple[int, int]) -> None:
    """Base64 is read in lines, without padding and in the URL alphabet, with and without a prefix."""
    picture = drawn(*size)
    text = change(base64(picture))

    assert read_answer(encode(images({"image_url": {"url": f"data:image/png;base64,{text}"}}))).picture == picture
    assert read_answer(encode({"data": [{"b64_json": text}]})).picture == picture


def test_reads_lines_of_base64_in_a_text() -> None:
    """A data URL whose base64 is in lines is read within a text."""
    lines = "\n".join(textwrap.wrap(base64(LARGE), 76))

    answer = read_answer(encode(chat({"content": f"![a plushie](data:image/png;base64,{lines}) Enjoy."})))

    assert answer.picture == LARGE


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([GOOD, LARGE], LARGE),
        ([LARGE, GOOD], LARGE),
        ([drawn(32, 48), GOOD], GOOD),
        ([GOOD, drawn(32, 48)], drawn(32, 48)),
        ([flat(1, 1), GOOD], GOOD),
        ([GOOD, flat(1, 1)], GOOD),
        ([GOOD, flat(2, 2)], GOOD),
        ([GOOD, flat(500, 1)], GOOD),
        ([GOOD, flat(200, 200)], GOOD),
        ([flat(200, 200, ".jpg"), GOOD], GOOD),
        ([flat(200, 200, ".webp"), GOOD], GOOD),
        ([GOOD, LARGE[:-20]], GOOD),
        ([LARGE[: len(LARGE) // 2], GOOD], GOOD),
        ([GOOD, LARGE[:60] + bytes(9) + LARGE[69:]], GOOD),
        ([GOOD, b"\x89PNG\r\n\x1a\n" + bytes(400)], GOOD),
        ([b"\x89PNG\r\n\x1a\n and so on"], b"\x89PNG\r\n\x1a\n and so on"),
        ([drawn(60, 40, ".jpg"), drawn(60, 40, ".webp"), drawn(60, 40, ".gif")], drawn(60, 40, ".gif")),
        ([drawn(60, 41, ".webp"), drawn(60, 40, ".jpg")], drawn(60, 41, ".webp")),
        ([flat(1, 1)], None),
        ([flat(64, 64), flat(80, 80)], None),
    ],
)
def test_takes_the_largest_and_last_picture(entries: list[bytes], expected: bytes | None) -> None:
    """Of several pictures the largest complete one is taken, the last of equally large ones, and never a blank one."""
    assert read_answer(encode(images(*map(entry, entries)))).picture == expected


@pytest.mark.parametrize(
    "draft",
    [
        {"thought": True, "inlineData": {"data": base64(LARGE)}},
        {"type": "image_generation.partial_image", "b64_json": base64(LARGE)},
        {"partial_image_index": 0, "b64_json": base64(LARGE)},
        {"type": "image_url", "partial": True, "image_url": {"url": data_url(LARGE)}},
        {"final": False, "url": data_url(LARGE)},
        {"status": "draft", "url": data_url(LARGE)},
        {"thumbnail": data_url(LARGE)},
        {"preview": {"url": data_url(LARGE)}},
        {"type": "reasoning", "data": base64(LARGE)},
    ],
    ids=str,
)
def test_never_takes_a_draft(draft: Any) -> None:
    """A picture that says it is not the final one is not taken, even if it is the largest or the only one."""
    assert read_answer(encode(images(draft, entry(GOOD)))).picture == GOOD
    assert read_answer(encode(images(entry(GOOD), draft))).picture == GOOD
    assert read_answer(encode(images(draft))).picture is None


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": [entry(LARGE)]}]},
        {"request": {"input_references": [entry(LARGE)]}},
        {"input": [{"type": "input_image", "image_url": data_url(LARGE)}]},
        {"data": [{"role": "user", "content": [entry(LARGE)]}]},
        {"original_image": data_url(LARGE)},
    ],
    ids=str,
)
def test_never_takes_the_photo_of_the_request(fields: Any) -> None:
    """A photo that an answer repeats from the request is not taken for its picture."""
    assert read_answer(encode(images(entry(GOOD), **fields))).picture == GOOD
    assert read_answer(encode(chat({"content": "Sorry."}, **fields))).pictures == ()


def test_reads_a_picture_beside_an_error() -> None:
    """An answer with an error and a picture has both."""
    body = images(entry(GOOD), error={"code": 502, "message": "Provider returned error"})

    answer = read_answer(encode(body))

    assert answer.picture == GOOD
    assert answer.error is not None


@pytest.mark.parametrize(
    "body",
    [
        images({"image_url": {"url": URL}}),
        images({"image_url": URL}),
        images(URL),
        images(f" {URL}\n"),
        chat({"content": [{"type": "image_url", "image_url": {"url": URL}}]}),
        chat({"content": f"Here: ![a plushie]({URL}) and a [link](https://example.com/b)"}),
        chat({"content": URL}),
        {"data": [{"url": URL}]},
        {"data": [URL]},
        {"output": [URL]},
        images(entry(flat(1, 1)), URL),
        images(entry(b"\x89PNG\r\n\x1a\n and so on"), URL),
        chat(
            {
                "content": "See https://example.com/ for more",
                "images": [URL],
                "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.com/c.png"}}],
            }
        ),
    ],
)
def test_finds_the_url_of_a_picture(body: Any) -> None:
    """The URL of a picture is found, and other URLs are not taken for one."""
    answer = read_answer(encode(body))

    assert answer.picture_url == URL
    assert [source for source in answer.pictures if isinstance(source, str)] == [URL]


def test_a_good_picture_has_precedence_over_a_url() -> None:
    """A picture in the answer is taken before one that must be fetched, and a broken one after it."""
    assert (
        read_answer(encode(images(URL, entry(GOOD)))).pictures[0]
        == read_answer(encode(images(entry(GOOD)))).pictures[0]
    )

    url, broken = read_answer(encode(images(URL, entry(GOOD[:-30])))).pictures
    assert url == URL
    assert not isinstance(broken, str)


def test_limits_the_number_of_urls() -> None:
    """At most four different URLs are tried, the last one first."""
    urls = [f"https://cdn.example/{number}.png" for number in range(9)]

    assert read_answer(encode(images(*urls, *urls))).pictures == tuple(reversed(urls[5:]))


ODD_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["data:image/png;base64,", "extracted:0", "data:,", "iVBORw0KGgo", base64(flat(1, 1))]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=9)
            | st.sampled_from(
                ["url", "image_url", "b64_json", "type", "role", "error", "data", "message", "thumbnail"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(ODD_JSON, max_size=4),
    st.lists(ODD_JSON, max_size=4),
    ODD_JSON,
    st.sampled_from(["", "b64", "url", "part"]),
)
def test_odd_entries_hide_neither_the_picture_nor_the_cost(
    before: list[Any], after: list[Any], odd: Any, way: str
) -> None:
    """Whatever is around one good picture, the picture and its cost are found."""
    good: Any = {"": data_url(GOOD), "b64": {"b64_json": base64(GOOD)}, "url": {"url": data_url(GOOD)}}.get(
        way, entry(GOOD)
    )
    for body in (
        chat({"content": odd, "images": [*before, good, *after]}, provider=odd, created=odd),
        chat({"content": [*before, good, *after], "images": odd, "refusal": odd}),
        {"created": odd, "data": [*before, good, *after], "usage": USAGE, "error": odd},
        {"choices": [*before, {"message": {"images": [good]}}, *after], "id": odd, "usage": USAGE},
    ):
        answer = read_answer(encode(body))
        assert answer.picture == GOOD
        assert answer.facts.cost_nano_usd == COST_NANO_USD
