"""Decoding of answers: the picture and the facts of the call."""

from typing import Any

import msgspec
import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plushify_adapters.openrouter import _answer
from plushify_adapters.openrouter._answer import read_answer
from plushify_core.domain.model_call import ModelFacts

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000
URL = f"data:image/png;base64,{pybase64.b64encode_as_string(PICTURE)}"


def body(url: str = URL, **fields: Any) -> bytes:
    """Return the body of a chat answer with a picture."""
    choice = {"message": {"content": 'A "plushie" \\ for you\\\\', "images": [{"image_url": {"url": url}}]}}
    return msgspec.json.encode({"choices": [choice], **fields})


def facts_of(**fields: Any) -> ModelFacts:
    """Return the facts of an answer with these fields, and assert that its picture is found."""
    answer = read_answer(body(**fields))
    assert answer.picture == PICTURE
    return answer.facts


@pytest.mark.parametrize(
    ("usage", "cost_nano_usd"),
    [
        ({"cost": 0.038826}, 38_826_000),
        ({"cost": 1e-9}, 1),
        ({"cost": 2}, 2_000_000_000),
        ({"cost": 0}, 0),
        ({"cost": None}, None),
        ({}, None),
        ({"cost": -1}, None),
        ({"cost": True}, None),
        ({"cost": "0.04"}, 40_000_000),
        ({"cost": " $0.038826 USD"}, 38_826_000),
        ({"cost": "3.9e-2"}, 39_000_000),
        ({"cost": "US$0.04"}, 40_000_000),
        ({"cost": "0.04 credits"}, 40_000_000),
        ({"cost": "+.04"}, 40_000_000),
        ({"cost": "0,04"}, None),
        ({"cost": [None, "0.04"]}, 40_000_000),
        ({"cost": [0.01, 0.03]}, None),
        ({"cost": "0"}, 0),
        ({"cost": "free"}, None),
        ({"cost": "-0.04"}, None),
        ({"cost": "nan"}, None),
        ({"cost": "1e999"}, None),
        ({"cost": "0.04 EUR"}, None),
        ({"cost": {"total": 0.04, "currency": "USD"}}, 40_000_000),
        ({"cost": {"amount": {"value": "0.04"}}}, 40_000_000),
        ({"cost": [0.04]}, 40_000_000),
        ({"cost": {"prompt": 0.01, "completion": 0.03}}, None),
        ({"cost": {}}, None),
        ({"total_cost": 0.04}, 40_000_000),
        ({"cost": "n/a", "total_cost": 0.04}, 40_000_000),
        ({"usage": {"cost": 0.04}}, 40_000_000),
        ({"openrouter": {"cost": "0.04"}}, 40_000_000),
        ([None, {"cost": 0.04}], 40_000_000),
        ('{"cost": 0.04}', 40_000_000),
        ({"cost": "0.002", "is_byok": "true", "cost_details": {"upstream_inference_cost": "0.04"}}, 42_000_000),
        ({"cost": 1e300}, None),
        ({"cost": msgspec.Raw(b"1e308")}, None),
        ({"cost": 10**40}, None),
        ([], None),
        ("free", None),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.04}}, 40_000_000),
        ({"cost": 0.002, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.04}}, 42_000_000),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        ({"cost": 0, "is_byok": True, "cost_details": None}, None),
        ({"cost": 0, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.04}}, 0),
    ],
)
def test_reads_the_cost(usage: Any, cost_nano_usd: int | None) -> None:
    """The cost is exact in nano-dollars, and unknown if it is not a plausible number.

    It includes the provider's price if the account uses its own provider key (BYOK).
    """
    assert facts_of(usage=usage).cost_nano_usd == cost_nano_usd


@pytest.mark.parametrize(
    "fields",
    [
        {"cost": 0.04},
        {"choices": [{"usage": {"cost": 0.04}}]},
        {"choices": [{"message": {"usage": {"cost": "0.04"}}}]},
        {"choices": [None, 7, {"usage": [{"cost": 0.04}]}], "usage": None},
        {"response": {"usage": {"cost": 0.04}}},
        {"error": {"message": "no", "usage": {"cost": 0.04}}},
        {"error": {"message": "no", "metadata": {"cost": "0.04"}}},
        {"usage": {"prompt_tokens": 3}, "error": {"metadata": {"usage": {"cost": 0.04}}}},
        {"usage": {"cost": 0.04}, "choices": [{"usage": {"cost": 0.01}}]},
        {"usage": {"cost": 0.04}, "choices": {"message": {"images": {"a": [[[7]]]}}}, "data": {"b64_json": []}},
    ],
    ids=str,
)
def test_finds_the_cost_anywhere(fields: dict[str, Any]) -> None:
    """The cost is found wherever the body reports it, and the outermost usage has precedence."""
    answer = read_answer(msgspec.json.encode(fields))

    assert answer.facts.cost_nano_usd == 40_000_000
    assert answer.charged


@pytest.mark.parametrize(
    ("usage", "charged"),
    [
        ({"cost": 0.04}, True),
        ({"cost": {"prompt": 0.01, "completion": 0.03}}, True),
        ({"cost": "unknown"}, True),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.04}}, True),
        ({"cost": 0.002, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, True),
        ({"cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, False),
        ({"cost": 0}, False),
        ({"cost": "0.00"}, False),
        ({"cost": None}, False),
        ({"prompt_tokens": 3}, False),
        (None, False),
    ],
)
def test_recognises_a_charge(usage: Any, charged: bool) -> None:
    """An answer is charged if it reports a cost other than 0, even one that cannot be read."""
    assert read_answer(body(usage=usage)).charged == charged


@pytest.mark.parametrize(("tokens", "expected"), [(7, 7), (0, 0), (-1, None), (7.0, None), (True, None), (2**40, None)])
def test_reads_token_counts(tokens: Any, expected: int | None) -> None:
    """Token counts are integers that fit in a database column."""
    facts = facts_of(usage={"prompt_tokens": tokens, "completion_tokens": tokens})

    assert (facts.prompt_tokens, facts.completion_tokens) == (expected, expected)


@pytest.mark.parametrize(
    ("text", "expected"), [("gen-1", "gen-1"), ("a\0b\nc", "abc"), ("x" * 900, "x" * 200), ("", None), (7, None)]
)
def test_cleans_text(text: Any, expected: str | None) -> None:
    """Text is limited to 200 characters, and control characters, which databases reject, are removed."""
    assert facts_of(id=text).provider_call_id == expected


def test_skips_invalid_pictures() -> None:
    """Invalid pictures are skipped, and a URL has precedence over a picture whose header cannot be read."""
    images = [{"image_url": {"url": url}} for url in ("", "data:image/png;base64,aGVsbG8=", URL)]
    assert read_answer(msgspec.json.encode({"choices": [{"message": {"images": images}}]})).picture == PICTURE

    images.insert(0, {"image_url": {"url": "https://example.com/a.png"}})
    assert read_answer(msgspec.json.encode({"choices": [{"message": {"images": images}}]})).picture is None


@pytest.mark.parametrize(
    "scheme", ["", "data:;base64,", "DATA:image/png;charset=utf-8;BASE64,", "data:text/html;base64,"]
)
def test_accepts_any_data_url_prefix(scheme: str) -> None:
    """The media type comes from the first bytes, not from the prefix of the data URL."""
    answer = read_answer(body(URL.replace("data:image/png;base64,", scheme)))

    assert (answer.picture, answer.media_type) == (PICTURE, "image/png")


def test_reads_a_picture_with_escaped_slashes() -> None:
    """A picture is read even if the JSON escapes the slashes in its base64, which prevents its extraction."""
    assert read_answer(body().replace(b"/", b"\\/")).picture == PICTURE


@pytest.mark.parametrize(
    "raw",
    [
        b'{"id": "gen-1", "usage": {"cost": NaN, "x": 1e999}, %s}',
        b'{"id": "gen-1", "note": "line\nbreak\x00\xff\xfe", %s}',
        b'{"id": "gen-1", "note": "\\ud800", %s}',
        b'{"id": "gen-1", %s}\n\n: keep-alive\n',
        b'{"id": "gen-1", %s}data: [DONE]',
    ],
)
def test_reads_invalid_json_as_far_as_possible(raw: bytes) -> None:
    """Stray bytes in a string or after the end of the JSON lose no picture."""
    choices = msgspec.json.encode({"choices": [{"message": {"images": [URL]}}]})[1:-1]

    answer = read_answer(raw.replace(b"%s", choices))

    assert (answer.picture, answer.facts.provider_call_id) == (PICTURE, "gen-1")


@pytest.mark.parametrize("key", ["provider", "response", "result", "data", "body", "completion"])
def test_reads_the_facts_of_a_nested_answer(key: str) -> None:
    """The facts of an answer that a gateway nested under another key are read."""
    nested = msgspec.json.decode(body(id="gen-1", model="google/gemini", usage={"cost": 0.04}))

    answer = read_answer(msgspec.json.encode({key: nested, "status": "ok"}))

    assert answer.picture == PICTURE
    assert (answer.facts.provider_call_id, answer.facts.model) == ("gen-1", "google/gemini")
    assert answer.facts.cost_nano_usd == 40_000_000


@pytest.mark.parametrize(
    ("choice", "refused"),
    [
        ({"message": {"refusal": "I cannot do that."}}, True),
        ({"message": {"content": [{"type": "refusal", "refusal": "No."}]}}, True),
        ({"message": {"refusal": None, "content": [None, 7, {"type": "text"}]}}, False),
        ({"message": "No."}, False),
        ({"message": 7}, False),
        (7, False),
    ],
)
def test_recognises_a_refusal(choice: Any, refused: bool) -> None:
    """A refusal stands in the message or in a part of it."""
    assert read_answer(msgspec.json.encode({"choices": [choice]})).refused == refused


TEXTS = st.text(st.sampled_from('ab"\\/\n\0é{}[],: '), max_size=30)


@given(
    st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)), TEXTS
)
def test_extracting_long_strings_does_not_change_the_answer(anything: Any, content: str) -> None:
    """The decoded answer is the same with and without the extraction of long strings."""
    raw = body(anything=anything, id=content, error={"message": content, "metadata": anything}, usage=anything)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_answer, "_LONG_STRING_BYTES", 10**9)
        unextracted = read_answer(raw)

        patch.setattr(_answer, "_LONG_STRING_BYTES", 40)
        assert read_answer(raw) == unextracted
