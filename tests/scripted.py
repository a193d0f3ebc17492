"""Image model that follows a script, and reports the generations that it is called for."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from uuid import UUID

import msgspec

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, ModelError, ModelFacts, Reason
from plushify_core.ports import ModelRequest, ModelResult
from tests.broken import ignore_cancellation
from tests.gates import last_read

PRICE_NANO_USD = 39_000_000
MODEL_ERRORS = {
    "refused": (Reason.CONTENT_POLICY, False, Billing.BILLED),
    "rejected": (Reason.MODEL_UNAVAILABLE, True, Billing.NOT_BILLED),
    "lost": (Reason.MODEL_UNAVAILABLE, True, Billing.UNKNOWN),
}
"""Reason, `retryable` and billing of the error for each answer that is one."""


class Answer(StrEnum):
    """End of a call that is not cancelled.

    `REFUSED`, `REJECTED` and `LOST` are errors of the provider. `GARBAGE` is bytes that are not a picture. `BUG` is an
    exception that the contract of the port does not allow.
    """

    PICTURE = "picture"
    REFUSED = "refused"
    REJECTED = "rejected"
    LOST = "lost"
    GARBAGE = "garbage"
    BUG = "bug"


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """Course of one call: its delay in seconds, then its answer. A `stubborn` call ignores its cancellation."""

    answer: Answer = Answer.PICTURE
    delay_s: float = 0.0
    stubborn: bool = False


class ScriptedModel(MemoryImageModel):
    """Image model that returns the photo as the picture, or fails.

    Args:
        script: returns the script of the next call.
        called: receives the id of the generation of each paid call.
    """

    def __init__(self, script: Callable[[], Script], called: Callable[[UUID], None]) -> None:
        super().__init__()
        self._script = script
        self._called = called

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Follow the next script."""
        photo = b"".join([chunk async for chunk in request.open_photo()])
        self._called(UUID(last_read.get().split("/")[1]))
        script = self._script()
        waiting = asyncio.sleep(script.delay_s)
        await (ignore_cancellation(waiting) if script.stubborn else waiting)
        if script.answer is Answer.BUG:
            raise RuntimeError("an adapter breaks its contract")
        if script.answer in MODEL_ERRORS:
            reason, retryable, billing = MODEL_ERRORS[script.answer]
            raise ModelError(reason, "as the script says", retryable=retryable, billing=billing)
        return ModelResult(
            data=b"moo" if script.answer is Answer.GARBAGE else photo,
            media_type="image/x-portable-pixmap",
            facts=ModelFacts(model="scripted", cost_nano_usd=PRICE_NANO_USD),
        )
