"""Every answer that OpenRouter is known to give: the result, the billing, and the number of calls.

After the scripted answers the emulator returns good pictures, so a row that fails after one call proves that there was
no second call.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from plushify_adapters.images import VipsImageCodec
from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryStore
from plushify_adapters.openrouter import Api, OpenRouterModel
from plushify_core import DEFAULT_CATALOG, GenerateUseCase, Generation, Limits
from plushify_core.domain.errors import MESSAGES, GenerationFailed, Reason
from plushify_core.domain.model_call import Billing, Outcome
from plushify_core.ports import EncodedImage, GalleryFilter, ModelError
from tests.adapters.openrouter.support import ModelOnEmulator, request_for
from tests.emulators.process import OpenRouterEmulator
from tests.in_memory import Ids

pytestmark = pytest.mark.anyio

CHAT, IMAGES = Api.CHAT, Api.IMAGES
BILLED, FREE, UNKNOWN = Billing.BILLED, Billing.NOT_BILLED, Billing.UNKNOWN
COST_NANO_USD = 38_826_000
PICTURE = None

Step = str | dict[str, Any]


class Row(msgspec.Struct, frozen=True):
    """The expected result of a script of answers.

    Attributes:
        script: Answers to the calls, in order.
        reason: Reason of the failure, or PICTURE.
        billing: Billing in the recorded model call.
        calls: Number of calls made.
        retryable: Whether the user may try again.
        apis: APIs to test with.
        facts: Facts that the recorded model call must have.
    """

    name: str
    script: list[Step]
    reason: Reason | None = PICTURE
    billing: Billing = BILLED
    calls: int = 1
    retryable: bool = True
    apis: tuple[Api, ...] = (CHAT, IMAGES)
    facts: dict[str, Any] = {}


def answer(scenario: str, **options: Any) -> Step:
    """Return a scripted answer with options."""
    return {"scenario": scenario, **options}


def policy(name: str, step: Step, billing: Billing, **facts: Any) -> Row:
    """Return a row for content that violates a policy."""
    apis = (CHAT,) if isinstance(step, dict) else (CHAT, IMAGES)
    return Row(name, [step], Reason.CONTENT_POLICY, billing, retryable=False, apis=apis, facts=facts)


def refused(name: str, scenario: str, reason: Reason, **facts: Any) -> Row:
    """Return a row for a request that is rejected and not retried."""
    return Row(name, [scenario], reason, FREE, retryable=reason is Reason.MODEL_UNAVAILABLE, facts=facts)


def no_picture(native: str | None, **options: Any) -> Step:
    """Return a scripted answer without a picture and with this native finish reason."""
    return answer("no_picture", native=native, **options)


PICTURES = [
    Row("a picture", ["ok"], facts={"attempts": 1, "prompt_tokens": 345, "completion_tokens": 1299}),
    Row("a picture over chat", ["ok"], apis=(CHAT,), facts={"finish_reason": "STOP", "provider": "Google"}),
    Row("empty content", [answer("ok", content="")]),
    Row("null content", [answer("ok", content=None)]),
    Row("an entry without a type", [answer("ok", typed=False)]),
    Row("a wrong media type", [answer("ok", media_type="image/jpeg", declared="image/png")]),
    Row("several pictures", [answer("ok", count=3)]),
    Row("no usage", [answer("ok", with_usage=False)], facts={"cost_nano_usd": None, "prompt_tokens": None}),
    Row("nested under provider", ["nested"], apis=(CHAT,)),
    Row("between odd entries", ["odd_entries"]),
    *(Row(f"base64: {form}", [answer("odd_base64", form=form)]) for form in ("lines", "no_padding", "url_alphabet")),
    *(
        Row(f"in the content: {form}", [answer("content_parts", form=form)], apis=(CHAT,))
        for form in ("image_url", "output_image", "inline_data", "text")
    ),
    Row("after blank pictures and drafts", ["drafts"]),
    Row("beside an error", ["error_beside_picture"], facts={"error_type": "server"}),
    *(
        Row(f"after padding: {padding}", [answer("padded", padding=padding)])
        for padding in ("comments", "white_space", "bom", "events")
    ),
    Row("a picture despite MAX_TOKENS", [answer("ok", native="MAX_TOKENS")], apis=(CHAT,)),
]

ERRORS_IN_200 = [
    Row("1: only an error", ["error_in_200"], Reason.MODEL_UNAVAILABLE, UNKNOWN, facts={"provider": "Google"}),
    Row("1: a policy error", [answer("error_in_200", error_type="refusal")], Reason.CONTENT_POLICY, UNKNOWN, 1, False),
    Row(
        "1: a policy block of the provider",
        [answer("error_in_200", raw='{"candidates": [{"finishReason": "IMAGE_SAFETY"}]}')],
        Reason.CONTENT_POLICY,
        UNKNOWN,
        retryable=False,
        facts={"finish_reason": "SAFETY"},
    ),
    Row(
        "2: an error in the choice",
        ["error_in_choice"],
        Reason.MODEL_UNAVAILABLE,
        UNKNOWN,
        apis=(CHAT,),
        facts={"error_type": "provider_unavailable"},
    ),
    Row("2: billed", [answer("error_in_choice", cost=0.01)], Reason.MODEL_UNAVAILABLE, BILLED, apis=(CHAT,)),
    Row("2: not billed", [answer("error_in_choice", cost=0)], calls=2, apis=(CHAT,)),
    Row("3: stop, with text", ["no_picture"], Reason.NO_PICTURE, BILLED),
    Row("3: stop, with nothing", [no_picture("STOP", content=None)], Reason.NO_PICTURE, BILLED, apis=(CHAT,)),
    Row("3: images is empty", [no_picture("STOP", images="empty")], Reason.NO_PICTURE, BILLED),
    Row("3: images is null", [no_picture("STOP", images="null")], Reason.NO_PICTURE, BILLED),
    policy("3: content_filter", no_picture(None, finish="content_filter"), BILLED, finish_reason="content_filter"),
    Row("4: choices is null", ["null_choices"], Reason.NO_PICTURE, UNKNOWN),
    Row("an HTML page", ["html"], Reason.NO_PICTURE, UNKNOWN),
    Row("a blank body", ["blank"], Reason.NO_PICTURE, UNKNOWN),
    Row("a body cut short", ["cut_short"], Reason.MODEL_UNAVAILABLE, UNKNOWN),
    Row("half a JSON", ["cut_json"], Reason.NO_PICTURE, UNKNOWN),
    Row("an empty picture", ["empty_picture"], Reason.NO_PICTURE, BILLED),
    Row("broken base64", ["bad_base64"], Reason.NO_PICTURE, BILLED),
    Row("base64 of something else", ["not_a_picture"], Reason.NO_PICTURE, BILLED),
    Row("a picture that stops halfway", ["cut_picture"], Reason.NO_PICTURE, BILLED),
    Row("broken base64, not billed", [answer("bad_base64", cost=0)], calls=2, apis=(CHAT,)),
    Row("an answer that is too large", ["oversize"], Reason.NO_PICTURE, UNKNOWN),
    Row("connection closed without an answer", ["drop"], Reason.MODEL_UNAVAILABLE, UNKNOWN),
]

ERROR_ANSWERS = [
    refused("400 bad parameters", "bad_request", Reason.INTERNAL, error_type="invalid_request"),
    refused("400 invalid_image", "invalid_image", Reason.MODEL_REFUSED_INPUT, error_type="invalid_image"),
    refused("400 image_too_large", "image_too_large", Reason.MODEL_REFUSED_INPUT),
    refused("400 image_too_small", "image_too_small", Reason.MODEL_REFUSED_INPUT),
    refused("400 unsupported_image_format", "unsupported_image_format", Reason.MODEL_REFUSED_INPUT),
    policy("400 content_policy_violation", "content_policy", FREE, error_type="content_policy_violation"),
    policy("400 refusal", "refusal", FREE),
    policy("400 with a block reason", "policy_block", FREE, finish_reason="PROHIBITED_CONTENT"),
    policy("502 with a block reason of the provider", "policy_block_raw", FREE),
    refused("401", "bad_key", Reason.MODEL_UNAVAILABLE, error_type="authentication"),
    refused("402 account empty", "account_empty", Reason.MODEL_UNAVAILABLE),
    Row("402 in flight", ["in_flight_budget"], calls=2, facts={"attempts": 2}),
    policy("403 moderation", "moderated", FREE, provider="OpenAI"),
    refused("403 key", "key_forbidden", Reason.MODEL_UNAVAILABLE),
    refused("404", "model_gone", Reason.MODEL_UNAVAILABLE),
    Row("408 over chat", ["timeout_408"], Reason.TIMEOUT, UNKNOWN, apis=(CHAT,)),
    Row("504 over chat", ["timeout_504"], Reason.TIMEOUT, UNKNOWN, apis=(CHAT,)),
    Row("524 over chat", ["timeout_524"], Reason.TIMEOUT, UNKNOWN, apis=(CHAT,)),
    Row("408 over images", ["timeout_408"], Reason.TIMEOUT, FREE, apis=(IMAGES,)),
    Row("504 over images", ["timeout_504"], Reason.TIMEOUT, FREE, apis=(IMAGES,)),
    Row("524 over images", ["timeout_524"], Reason.TIMEOUT, FREE, apis=(IMAGES,)),
    refused("413", "payload_too_large", Reason.INTERNAL),
    refused("422", "unprocessable", Reason.INTERNAL),
    Row("429", ["rate_limited"], calls=2),
    Row("429 until a date", ["rate_limited_by_date"], calls=2),
    Row("429 without a pause or a type", ["rate_limited_bare"], calls=2),
    Row("429 without a code", [answer("rate_limited", with_code=False)], calls=2),
    Row("429 with a string as its code", [answer("rate_limited", code="too_many")], calls=2),
    Row(
        "429 for longer than the deadline", [answer("rate_limited", retry_after="3600")], Reason.MODEL_UNAVAILABLE, FREE
    ),
    Row("429 for every attempt", ["rate_limited"] * 4, Reason.MODEL_UNAVAILABLE, FREE, 4, facts={"attempts": 4}),
    Row("503", ["no_provider"], calls=2),
    Row("529", ["overloaded"], calls=2),
    Row("529, then 503, then 429", ["overloaded", "no_provider", "rate_limited"], calls=4),
    Row("500", ["server_error"], calls=2),
    Row("502", ["upstream_error"], calls=2),
    Row("500, then 502", ["server_error", "upstream_error"], Reason.MODEL_UNAVAILABLE, FREE, 2),
    *(
        Row(
            f"{name}, billed",
            [answer(name, cost=cost)],
            Reason.MODEL_UNAVAILABLE,
            BILLED,
            facts={"attempts": 1, "cost_nano_usd": COST_NANO_USD},
        )
        for name in ("in_flight_budget", "rate_limited", "server_error", "upstream_error", "no_provider", "overloaded")
        for cost in (0.038826, "0.038826")
    ),
    Row("502, with a cost of 0", [answer("upstream_error", cost=0)], calls=2),
    Row("502, with a cost that is no number", [answer("upstream_error", cost="?")], Reason.MODEL_UNAVAILABLE, UNKNOWN),
    Row("400 refusal, billed", [answer("refusal", cost=0.01)], Reason.CONTENT_POLICY, BILLED, retryable=False),
    Row("504 over images, billed", [answer("timeout_504", cost=0.01)], Reason.TIMEOUT, BILLED, apis=(IMAGES,)),
    Row("502 from a proxy", [answer("html", status=502)], Reason.MODEL_UNAVAILABLE, UNKNOWN),
    Row("429 from a proxy", [answer("html", status=429)], calls=2),
    Row("503 without a body", [answer("blank", status=503)], Reason.MODEL_UNAVAILABLE, UNKNOWN),
    refused("an unknown status", "teapot", Reason.INTERNAL),
    Row(
        "a redirect to an invalid URL",
        [answer("raw", body_base64="", status=302, headers={"Location": "https://xn--/"})],
        Reason.MODEL_UNAVAILABLE,
        UNKNOWN,
    ),
    Row("a redirect", [answer("html", status=302)], Reason.INTERNAL, FREE, 1, False),
]

NATIVE_FINISH_REASONS = [
    *(
        policy(native, no_picture(native, **billed), billing, finish_reason=native)
        for kind in ("SAFETY", "PROHIBITED_CONTENT", "RECITATION", "BLOCKLIST", "SPII")
        for native in (kind, f"IMAGE_{kind}")
        for billed, billing in (({}, BILLED), ({"cost": 0}, FREE), ({"with_usage": False}, UNKNOWN))
    ),
    *(
        row
        for native in ("NO_IMAGE", "OTHER", "IMAGE_OTHER", "STOP")
        for row in (
            Row(f"{native}, billed", [no_picture(native)], Reason.NO_PICTURE, BILLED, apis=(CHAT,)),
            Row(
                f"{native}, no usage", [no_picture(native, with_usage=False)], Reason.NO_PICTURE, UNKNOWN, apis=(CHAT,)
            ),
            Row(f"{native}, not billed", [no_picture(native, cost=0)], calls=2, apis=(CHAT,)),
            Row(f"{native}, twice", [no_picture(native, cost=0)] * 2, Reason.NO_PICTURE, FREE, 2, apis=(CHAT,)),
        )
    ),
    *(
        Row(f"{native}, not billed", [no_picture(native, cost=0)], Reason.NO_PICTURE, FREE, apis=(CHAT,))
        for native in ("MAX_TOKENS", "LANGUAGE")
    ),
    Row("an unknown reason", [no_picture("SOMETHING_NEW", finish=None, cost=0)], Reason.NO_PICTURE, FREE, apis=(CHAT,)),
]

ROWS = [*PICTURES, *ERRORS_IN_200, *ERROR_ANSWERS, *NATIVE_FINISH_REASONS]


def now() -> datetime:
    """Return the real time, because the deadline of a call over HTTP is real too."""
    return datetime.now(UTC)


def use_case(model: OpenRouterModel, store: MemoryStore) -> GenerateUseCase:
    """Return the use case with this model and store, the real codec, and in-memory adapters for the rest."""
    return GenerateUseCase(
        store=store,
        blobs=MemoryBlobStore(),
        codec=VipsImageCodec(),
        model=model,
        events=MemoryEvents(),
        clock=now,
        new_id=Ids(now),
        catalog=DEFAULT_CATALOG,
        limits=Limits(),
    )


@pytest.mark.parametrize(
    ("row", "api"), [pytest.param(row, api, id=f"{api}: {row.name}") for row in ROWS for api in row.apis]
)
async def test_result_billing_and_calls(
    row: Row, api: Api, emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """Each script leads to the result, the billing and the number of calls in its row.

    A failure shows the user the sentence of its reason, and refunds the credits.
    """
    emulator.script(row.script)

    outcome: Generation | GenerationFailed
    store = MemoryStore()
    async with model_on(api=api, max_answer_bytes=8_000_000) as model:
        try:
            outcome = await use_case(model, store).generate("ann", photo.data, style="kawaii", quality="high")
        except GenerationFailed as error:
            outcome = error
    async with store.begin() as tx:
        [generation] = await tx.generations.page("ann", GalleryFilter(), after=None, limit=10)
        call = await tx.model_calls.get(generation.id)
        amounts = [entry.amount for entry in reversed(await tx.credits.entries("ann", after=None, limit=10))]

    assert len(emulator.calls()) == row.calls
    assert call is not None
    assert {name: getattr(call.facts, name) for name in row.facts} == row.facts
    assert (call.billing, call.reason) == (row.billing, row.reason)
    if isinstance(outcome, GenerationFailed):
        assert (outcome.reason, outcome.retryable, outcome.charged) == (row.reason, row.retryable, False)
        assert outcome.message == MESSAGES[outcome.reason]
        assert amounts == [3, -2, 2]
        assert call.outcome is Outcome.FAILED
    else:
        assert row.reason is PICTURE
        assert outcome.generated is not None
        assert max(outcome.generated.width, outcome.generated.height) == 1024
        assert call.facts.cost_nano_usd == row.facts.get("cost_nano_usd", COST_NANO_USD)
        assert amounts == [3, -2]
        assert call.outcome is Outcome.SUCCEEDED


async def test_records_the_fallback_model_that_was_used(
    emulator: OpenRouterEmulator, model_on: ModelOnEmulator, photo: EncodedImage
) -> None:
    """The facts name the fallback model that drew the picture, not the requested one."""
    emulator.script([answer("ok", use_fallback=True)])

    async with model_on(fallback_models=("google/gemini-3-pro-image",)) as model:
        result = await model.generate(request_for(photo))

    assert result.facts.model == "google/gemini-3-pro-image"


@pytest.mark.parametrize("scenario", ["bad_key", "account_empty", "key_forbidden", "model_gone", "bad_request"])
async def test_logs_what_the_operator_must_fix(
    scenario: str,
    emulator: OpenRouterEmulator,
    model_on: ModelOnEmulator,
    photo: EncodedImage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A failure that only the operator can fix is logged as an error, without the key."""
    emulator.script([scenario])

    async with model_on() as model:
        with pytest.raises(ModelError):
            await model.generate(request_for(photo))

    assert [record.levelname for record in caplog.records if record.name.startswith("plushify")] == ["ERROR"]
    assert "sk-or" not in caplog.text
