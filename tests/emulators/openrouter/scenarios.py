"""Answers that OpenRouter is known to give, by name. A script is a list of these names, one for each call."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pybase64

from tests.emulators.openrouter.answers import (
    COST_USD,
    Answer,
    Call,
    completion,
    data_entry,
    data_url,
    error_body,
    image_entry,
    images_body,
    json_answer,
)
from tests.emulators.openrouter.errors import ERRORS, error
from tests.emulators.openrouter.models import picture_size
from tests.emulators.openrouter.picture import blank_picture, draw


def draw_answer(call: Call, media_type: str = "image/png") -> bytes:
    """Return a picture drawn from the photo of the call, at the size that its model returns."""
    request = call.request
    assert request is not None
    width, height = picture_size(request.aspect_ratio, request.resolution)
    return draw(request.photo, width, height, media_type)


def ok(
    call: Call,
    *,
    url: str | None = None,
    count: int = 1,
    media_type: str = "image/png",
    declared: str | None = None,
    typed: bool = True,
    content: str | None = "Here it is!",
    native: str = "STOP",
    use_fallback: bool = False,
    with_usage: bool = True,
    cost: float | None = COST_USD,
) -> Answer:
    """Return a picture; the options vary the answer in ways that keep it valid."""
    picture_url = url or data_url(draw_answer(call, media_type), declared or media_type)
    assert call.request is not None
    if call.api == "images":
        entry = data_entry(picture_url)
        if not typed:
            entry.pop("media_type", None)
        body = images_body([entry] * count, with_usage=with_usage, cost=cost)
    else:
        entry = image_entry(picture_url)
        if not typed:
            del entry["type"]
        model = call.request.fallbacks[0] if use_fallback and call.request.fallbacks else None
        body = completion(
            call,
            images=[entry] * count,
            content=content,
            native=native,
            model=model,
            with_usage=with_usage,
            cost=cost,
        )
    return json_answer(body, headers={"X-Generation-Id": call.generation_id}, cost_usd=cost or 0)


def image_address(call: Call, *, url: str | None = None) -> Answer:
    """Return the URL of a picture instead of its bytes; by default a URL of the emulator."""
    return ok(call, url=url or f"{call.origin}/files/{call.generation_id}.png")


def no_picture(
    call: Call,
    *,
    finish: str | None = "stop",
    native: str | None = "STOP",
    content: str | None = "I can only describe it.",
    images: str = "absent",
    error: Mapping[str, Any] | None = None,
    with_usage: bool = True,
    cost: float | None = COST_USD,
) -> Answer:
    """Return a 200 without a picture: `images` is absent, null or empty."""
    value: list[Any] | None = [] if images == "empty" else None
    if call.api == "images":
        body = images_body(value, with_usage=with_usage, cost=cost)
    else:
        body = completion(
            call,
            images=value,
            content=content,
            finish=finish,
            native=native,
            error=error,
            with_usage=with_usage,
            cost=cost,
        )
        if images == "null":
            body["choices"][0]["message"]["images"] = None
    answer = json_answer(body, headers={"X-Generation-Id": call.generation_id}, cost_usd=cost or 0)
    return msgspec.structs.replace(answer, native_finish_reason=native)


def error_in_choice(call: Call, *, cost: float | None = None) -> Answer:
    """Return a 200 with an error of the provider inside its choice; without `cost`, its usage is missing."""
    error = {
        "code": 502,
        "message": "Upstream error from Google",
        "metadata": {"error_type": "provider_unavailable", "provider_code": "UNAVAILABLE"},
    }
    return no_picture(
        call, finish="error", native=None, content=None, error=error, with_usage=cost is not None, cost=cost
    )


def error_in_200(
    call: Call, *, status: int = 502, error_type: str | None = None, raw: str = "upstream connect error"
) -> Answer:
    """Return a 200 that contains only an error; `raw` is what the provider answered."""
    metadata = {"provider_name": "Google", "raw": raw}
    return json_answer(error_body(status, error_type, "Provider returned error", metadata))


def null_choices(call: Call) -> Answer:
    """Return a 200 with neither choices nor an error."""
    body: dict[str, Any] = {"id": call.generation_id, "object": "chat.completion", "choices": None}
    return json_answer(body if call.api == "chat" else {"data": None})


def nested(call: Call) -> Answer:
    """Return a good answer nested under `provider`."""
    answer = ok(call)
    return json_answer({"provider": msgspec.Raw(answer.body)}, cost_usd=answer.cost_usd)


def odd_entries(call: Call, *, entries: Sequence[Any] = (None, "", 7, {}), with_picture: bool = True) -> Answer:
    """Return a picture between entries of any type; without it, only these."""
    body = msgspec.json.decode(ok(call).body)
    holder, key = (body, "data") if call.api == "images" else (body["choices"][0]["message"], "images")
    holder[key] = [*entries, *holder[key], *entries] if with_picture else list(entries)
    return _ok_answer(call, body)


def odd_base64(call: Call, *, form: str = "lines") -> Answer:
    """Return a picture as base64 in `lines`, with `no_padding`, or in the `url_alphabet`."""
    text = pybase64.b64encode_as_string(draw_answer(call))
    match form:
        case "lines":
            text = "\n".join(textwrap.wrap(text, 76))
        case "no_padding":
            text = text.rstrip("=")
        case _:
            text = text.replace("+", "-").replace("/", "_")
    return ok(call, url=f"data:image/png;base64,{text}")


def content_parts(call: Call, *, form: str = "image_url") -> Answer:
    """Return a picture in the content: as a part `image_url`, `output_image` or `inline_data`, or in the `text`."""
    picture = draw_answer(call)
    url = data_url(picture, "image/png")
    contents: dict[str, Any] = {
        "image_url": [{"type": "text", "text": "Here."}, image_entry(url)],
        "output_image": [{"type": "output_image", "image_url": url}],
        "inline_data": [{"inline_data": {"mime_type": "image/png", "data": pybase64.b64encode_as_string(picture)}}],
        "text": f"Here it is!\n\n![a plushie]({url})",
    }
    return _ok_answer(call, completion(call, images=None, content=contents[form]))


def drafts(call: Call) -> Answer:
    """Return a blank picture and a draft before the final picture, and another blank one after it."""
    assert call.request is not None
    blank_url = data_url(blank_picture(1, 1), "image/png")
    flat_url = data_url(blank_picture(2048, 2048), "image/png")
    draft_url = data_url(draw(call.request.photo, 96, 64), "image/png")
    final_url = data_url(draw_answer(call), "image/png")
    urls = [blank_url, draft_url, final_url, flat_url]
    if call.api == "images":
        return _ok_answer(call, images_body([data_entry(url) for url in urls]))
    return _ok_answer(call, completion(call, images=[image_entry(url) for url in urls]))


def error_beside_picture(call: Call) -> Answer:
    """Return a picture and an error in the same 200."""
    body = msgspec.json.decode(ok(call).body)
    return _ok_answer(call, body | error_body(502, "server", "Provider returned error"))


def padded(call: Call, *, padding: str = "comments") -> Answer:
    """Return a good answer after padding: `comments`, `white_space` or a `bom`; or as server-sent `events`."""
    answer = ok(call)
    bodies = {
        "comments": b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + answer.body,
        "white_space": b" \n" * 40 + answer.body,
        "bom": b"\xef\xbb\xbf" + answer.body,
        "events": b": OPENROUTER PROCESSING\n\ndata: " + answer.body + b"\n\ndata: [DONE]\n\n",
    }
    return msgspec.structs.replace(answer, body=bodies[padding])


def _ok_answer(call: Call, body: Any) -> Answer:
    return json_answer(body, headers={"X-Generation-Id": call.generation_id}, cost_usd=COST_USD)


def html(call: Call, *, status: int = 200) -> Answer:
    """Return an HTML page, as a proxy in front of OpenRouter does."""
    return Answer(b"<!DOCTYPE html><html><body>Bad gateway</body></html>", status, {"Content-Type": "text/html"})


def blank(call: Call, *, status: int = 200) -> Answer:
    """Return only white space."""
    return Answer(b"\n   \n", status)


def cut_short(call: Call) -> Answer:
    """Close the connection halfway through a good answer."""
    return msgspec.structs.replace(ok(call), ending="cut")


def cut_json(call: Call) -> Answer:
    """Return half of a good answer as if it were complete: Content-Length matches, but the JSON is cut off."""
    answer = ok(call)
    return msgspec.structs.replace(answer, body=answer.body[: len(answer.body) // 2])


def drip(call: Call) -> Answer:
    """Send a good answer byte by byte, so slowly that it would take hours."""
    return msgspec.structs.replace(ok(call), ending="drip")


def drop(call: Call) -> Answer:
    """Close the connection before the first byte of an answer; the call is billed."""
    return Answer(ending="drop", cost_usd=COST_USD)


def stall(call: Call) -> Answer:
    """Send no answer until the client disconnects; a chat call is billed all the same."""
    return Answer(ending="stall", cost_usd=COST_USD if call.api == "chat" else 0)


def empty_picture(call: Call) -> Answer:
    """Return a data URL without data."""
    return ok(call, url="data:image/png;base64,")


def bad_base64(call: Call, *, cost: float | None = COST_USD) -> Answer:
    """Return a data URL that is not valid base64."""
    return ok(call, url="data:image/png;base64,iVBORw0KGgo*not*base64*", cost=cost)


def not_a_picture(call: Call) -> Answer:
    """Return valid base64 of bytes that are not a picture."""
    return ok(call, url=data_url(b"This is a sentence instead of a picture in PNG.", "image/png"))


def cut_picture(call: Call) -> Answer:
    """Return valid base64 of a picture that is cut off halfway."""
    picture = draw_answer(call)
    return ok(call, url=data_url(picture[: len(picture) // 2], "image/png"))


def oversize(call: Call, *, size_bytes: int = 40_000_000) -> Answer:
    """Return more base64 than any real picture has."""
    return ok(call, url="data:image/png;base64," + "A" * size_bytes)


def raw(call: Call, *, body_base64: str, status: int = 200, headers: Mapping[str, str] = {}) -> Answer:
    """Return the given bytes."""
    return Answer(pybase64.b64decode(body_base64), status, headers)


SCENARIOS: dict[str, Callable[..., Answer]] = {
    function.__name__: function
    for function in (
        ok,
        image_address,
        no_picture,
        error_in_choice,
        error_in_200,
        null_choices,
        nested,
        odd_entries,
        odd_base64,
        content_parts,
        drafts,
        error_beside_picture,
        padded,
        html,
        blank,
        cut_short,
        cut_json,
        drip,
        drop,
        stall,
        empty_picture,
        bad_base64,
        not_a_picture,
        cut_picture,
        oversize,
        raw,
    )
}


def answer(call: Call, name: str, options: Mapping[str, Any]) -> Answer:
    """Return the answer of a scenario; `name` is a key of SCENARIOS or ERRORS."""
    if name in ERRORS:
        return error(name, **options)
    return SCENARIOS[name](call, **options)
