"""An image model that does what a script says, and tells what it is made to draw."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from uuid import UUID

import msgspec

from plushify_adapters.memory import MemoryImageModel
from plushify_core import Billing, ModelError, ModelFacts, Reason
from plushify_core.ports import ModelRequest, ModelResult
from tests.gates import last_read

PRICE_NANO_USD = 39_000_000
MODEL_ERRORS = {
    "refused": (Reason.CONTENT_POLICY, False, Billing.BILLED),
    "rejected": (Reason.MODEL_UNAVAILABLE, True, Billing.NOT_BILLED),
    "lost": (Reason.MODEL_UNAVAILABLE, True, Billing.UNKNOWN),
}


class Answer(StrEnum):
    """How a call ends, if it is given the time."""

    PICTURE = "picture"
    REFUSED = "refused"
    REJECTED = "rejected"
    LOST = "lost"
    GARBAGE = "garbage"
    BUG = "bug"


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One call. A `stubborn` one goes on to its end when it is cancelled."""

    answer: Answer = Answer.PICTURE
    delay_s: float = 0.0
    stubborn: bool = False


class ScriptedModel(MemoryImageModel):
    """Draws small negatives, or does not.

    Args:
        script: what the next call does.
        called: told of every paid call, with the generation that it is for.
    """

    def __init__(self, script: Callable[[], Script], called: Callable[[UUID], None]) -> None:
        super().__init__()
        self._script = script
        self._called = called

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Draw as the script says."""
        photo = b"".join([chunk async for chunk in request.open_photo()])
        self._called(UUID(last_read.get().split("/")[1]))
        script = self._script()
        await (_stubborn_sleep if script.stubborn else asyncio.sleep)(script.delay_s)
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


async def _stubborn_sleep(seconds: float) -> None:
    sleeping = asyncio.ensure_future(asyncio.sleep(seconds))
    while not sleeping.done():
        try:
            await asyncio.shield(sleeping)
        except asyncio.CancelledError:
            continue
