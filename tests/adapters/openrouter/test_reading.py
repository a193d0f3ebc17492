"""What is read out of an answer: facts with indulgence, the picture at the speed of memory, a pause in any form."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import msgspec
import pybase64
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plushify_adapters.openrouter import _answer
from plushify_adapters.openrouter._answer import read_answer
from plushify_adapters.openrouter._exchange import HTTP_ERRORS, retry_after_s
from plushify_core.domain.model_call import ModelFacts

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000
URL = f"data:image/png;base64,{pybase64.b64encode_as_string(PICTURE)}"


def body(url: str = URL, **fields: Any) -> bytes:
    """A chat answer with a picture."""
    choice = {"message": {"content": 'A "plushie" \\ for you\\\\', "images": [{"image_url": {"url": url}}]}}
    return msgspec.json.encode({"choices": [choice], **fields})


def facts_of(**fields: Any) -> ModelFacts:
    """The facts of an answer, which has its picture whatever they are."""
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
        ({"cost": "0.04"}, None),
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
def test_the_cost(usage: Any, cost_nano_usd: int | None) -> None:
    """The cost is exact in nano-dollars, includes the provider's own bill where that is ours, and is unknown where it
    is no sensible number."""
    assert facts_of(usage=usage).cost_nano_usd == cost_nano_usd


@pytest.mark.parametrize(("tokens", "expected"), [(7, 7), (0, 0), (-1, None), (7.0, None), (True, None), (2**40, None)])
def test_tokens(tokens: Any, expected: int | None) -> None:
    """Tokens are whole numbers that a database holds."""
    facts = facts_of(usage={"prompt_tokens": tokens, "completion_tokens": tokens})

    assert (facts.prompt_tokens, facts.completion_tokens) == (expected, expected)


@pytest.mark.parametrize(
    ("text", "expected"), [("gen-1", "gen-1"), ("a\0b\nc", "abc"), ("x" * 900, "x" * 200), ("", None), (7, None)]
)
def test_texts(text: Any, expected: str | None) -> None:
    """Texts are short, and have no characters that a database refuses."""
    assert facts_of(id=text).provider_call_id == expected


def test_the_first_picture_that_is_one() -> None:
    """Pictures that are none are passed over; an address before the picture is not."""
    images = [{"image_url": {"url": url}} for url in ("", "data:image/png;base64,aGVsbG8=", URL)]
    assert read_answer(msgspec.json.encode({"choices": [{"message": {"images": images}}]})).picture == PICTURE

    images.insert(0, {"image_url": {"url": "https://example.com/a.png"}})
    assert read_answer(msgspec.json.encode({"choices": [{"message": {"images": images}}]})).picture is None


@pytest.mark.parametrize(
    "scheme", ["", "data:;base64,", "DATA:image/png;charset=utf-8;BASE64,", "data:text/html;base64,"]
)
def test_schemes(scheme: str) -> None:
    """Whatever stands before the base64, the bytes tell what it is."""
    answer = read_answer(body(URL.replace("data:image/png;base64,", scheme)))

    assert (answer.picture, answer.media_type) == (PICTURE, "image/png")


def test_an_escaped_picture() -> None:
    """Slashes may be escaped in JSON; such a picture takes the slower way and arrives."""
    assert read_answer(body().replace(b"/", b"\\/")).picture == PICTURE


TEXTS = st.text(st.sampled_from('ab"\\/\n\0é{}[],: '), max_size=30)


@given(
    st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)), TEXTS
)
def test_lifting_changes_nothing(anything: Any, content: str) -> None:
    """Whether strings are lifted out before the parser sees them or not, the answer says the same."""
    raw = body(anything=anything, id=content, error={"message": content, "metadata": anything}, usage=anything)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_answer, "_LONG_STRING", 10**9)
        unlifted = read_answer(raw)

        patch.setattr(_answer, "_LONG_STRING", 40)
        assert read_answer(raw) == unlifted


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0", 0.0),
        ("40", 40.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e3", None),
        ("9" * 40, None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 99999999999999999999 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:28:00 +9999999999999999", None),
        ("Mon, 01 Jan 0001 00:00:00 +2300", 0.0),
    ],
)
def test_the_pause_that_is_asked_for(value: str, expected: float | None) -> None:
    """`Retry-After` is a number of seconds or a date (RFC 9110 section 10.2.3); anything else is no pause at all."""
    assert retry_after_s(httpx.Response(429, headers={"Retry-After": value})) == expected


def test_a_pause_until_a_date_to_come() -> None:
    """The pause lasts until the date."""
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    pause_s = retry_after_s(httpx.Response(429, headers={"Retry-After": date}))

    assert pause_s is not None
    assert 3000 < pause_s <= 3600


def test_every_error_of_the_http_library_is_known() -> None:
    """When the HTTP library grows an error that is not translated, this fails."""
    errors = {value for value in vars(httpx).values() if isinstance(value, type) and issubclass(value, Exception)}
    unknown = {error.__name__ for error in errors if not issubclass(error, HTTP_ERRORS)}

    assert unknown == {"CookieConflict"}  # of reading one of several cookies of a name, which nobody does here
