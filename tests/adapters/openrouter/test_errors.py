"""Error objects: a policy block is recognised in every part of them, and no shape of them raises."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plushify_adapters.openrouter import Api
from plushify_adapters.openrouter._answer import read_answer
from plushify_adapters.openrouter._classification import classify_failure
from plushify_core.domain.errors import Reason
from plushify_core.domain.model_call import Billing

RAW = {
    "error": {"code": 400, "status": "INVALID_ARGUMENT"},
    "promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "The prompt is blocked."},
}


def error(message: Any = "Provider returned error", code: Any = 400, **metadata: Any) -> dict[str, Any]:
    """Return a body with an error and this metadata."""
    return {"error": {"code": code, "message": message, "metadata": metadata}}


def encoded(value: Any) -> str:
    """Return JSON as a string."""
    return msgspec.json.encode(value).decode()


POLICY_BLOCKS: list[Any] = [
    error(block_reason="PROHIBITED_CONTENT"),
    error(finish_reason=None, block_reason="PROHIBITED_CONTENT"),
    error(blockReason="IMAGE_SAFETY"),
    error(block_reason="BlockedReason.SAFETY"),
    error(block_reason="OTHER"),
    error(block_reason="SOMETHING_NEW"),
    error(finish_reason="SAFETY"),
    error(finish_reason="IMAGE_PROHIBITED_CONTENT"),
    error(finishReason="IMAGE_RECITATION"),
    error(finish_reasons=["STOP", "SAFETY"]),
    error(native_finish_reason="PROHIBITED_CONTENT"),
    error(finish_reason="content_filter"),
    error(finish_reason="content-filter"),
    error(finish_reason="stop", native_finish_reason="SPII"),
    error(finish_reason="FINISH_REASON_BLOCKLIST"),
    error(promptFeedback={"blockReason": "SAFETY"}),
    error(details=[None, {"candidates": [{"finishReason": "IMAGE_SAFETY"}]}]),
    error(raw=encoded(RAW)),
    error(raw=RAW),
    error(raw=[encoded(RAW)]),
    error(raw=encoded({"raw": encoded({"raw": encoded(RAW)})})),
    error(raw=encoded(RAW)[:-30]),
    error(raw="upstream answered: block_reason: PROHIBITED_CONTENT"),
    error(raw="FinishReason.IMAGE_SAFETY, finish_reason=IMAGE_SAFETY"),
    error(raw=encoded(RAW), error_type="provider_unavailable"),
    error(message=encoded(RAW)),
    error(reasons=["violence"]),
    error(error_type="content_policy_violation"),
    {"error": {"code": 400, "message": "no", "metadata": encoded({"block_reason": "SAFETY"})}},
    {"error": {"code": 400, "message": "no", "metadata": [{"block_reason": "SAFETY"}]}},
    {"error": {"code": 400, "block_reason": "SAFETY"}},
    {"error": encoded(RAW)},
    {"error": f"400: {encoded(RAW)}"},
    {"error": [{"code": 400, "metadata": {"block_reason": "SAFETY"}}]},
    {"error": {"code": "content_policy_violation", "message": "no"}},
    {"error": {"code": "moderation_blocked", "type": "image_generation_user_error"}},
    {"error": {"code": None, "type": "content_filter"}},
    {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
    {"choices": [{"native_finish_reason": "SAFETY", "error": {"code": 502, "message": "Upstream error"}}]},
    {"candidates": [{"finishReason": "IMAGE_SAFETY"}]},
    {"choices": [{"error": {"code": 502, "metadata": {"raw": encoded(RAW)}}}]},
    {"choices": [None, {"finish_reason": "stop"}, {"error": {"metadata": {"block_reason": "SAFETY"}}}]},
]


@pytest.mark.parametrize("status", [200, 400, 403, 502])
@pytest.mark.parametrize("body", POLICY_BLOCKS, ids=encoded)
def test_recognises_a_policy_block(body: Any, status: int) -> None:
    """A policy block in any part of an error is the content's fault, with any status, and is not retried."""
    failure = classify_failure(read_answer(msgspec.json.encode(body)), status, Api.CHAT, None)

    assert failure.reason is Reason.CONTENT_POLICY
    assert not failure.retryable
    assert not failure.needs_operator


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (error(finish_reason="NO_IMAGE"), 400, Reason.NO_PICTURE),
        (error(finish_reason="MAX_TOKENS"), 400, Reason.NO_PICTURE),
        (error(finish_reason="stop", code=502), 502, Reason.MODEL_UNAVAILABLE),
        (error(block_reason=None), 400, Reason.INTERNAL),
        (error(block_reason=""), 400, Reason.INTERNAL),
        (error(block_reason="BLOCK_REASON_UNSPECIFIED"), 400, Reason.INTERNAL),
        (error(block_reason="BLOCKED_REASON_UNSPECIFIED"), 400, Reason.INTERNAL),
        (error(block_reason=7, finish_reason={}), 400, Reason.INTERNAL),
        (error(raw='{"promptFeedback": {"blockReason": null}}'), 400, Reason.INTERNAL),
        (error(raw="reasons to block: none"), 400, Reason.INTERNAL),
        (error(error_type="invalid_image", finish_reason="OTHER"), 400, Reason.MODEL_REFUSED_INPUT),
        (error(code=429), 429, Reason.MODEL_UNAVAILABLE),
    ],
    ids=str,
)
def test_other_reasons_are_no_policy_block(body: Any, status: int, reason: Reason) -> None:
    """An unspecified reason, or one that is no matter of policy, does not blame the content."""
    assert classify_failure(read_answer(msgspec.json.encode(body)), status, Api.CHAT, None).reason is reason


def test_a_policy_block_that_cost_something_is_billed() -> None:
    """A block whose answer reports a cost is billed, and one with an error status and no cost is not."""
    body = error(block_reason="SAFETY")

    assert classify_failure(read_answer(msgspec.json.encode(body)), 400, Api.CHAT, None).billing is Billing.NOT_BILLED
    answer = read_answer(msgspec.json.encode(body | {"usage": {"cost": "0.01"}}))
    assert classify_failure(answer, 400, Api.CHAT, None).billing is Billing.BILLED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["block_reason", "{", "502"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["code", "message", "metadata", "raw", "error_type", "type", "finish_reason", "usage"]),
            inner,
        )
    ),
    max_leaves=10,
)


@given(JSON, st.sampled_from([200, 400, 429, 500]), st.sampled_from(Api))
def test_any_error_object_is_classified(value: Any, status: int, api: Api) -> None:
    """An error of any shape is classified without an error of our own."""
    classify_failure(
        read_answer(msgspec.json.encode({"error": value, "choices": [{"error": value}]})), status, api, None
    )
