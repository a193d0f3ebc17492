"""What one call to the image model cost, and how it ended.

A call is recorded in the transaction that dispatches its generation, before the model is called, and gets its
outcome in the transaction that ends the generation. Its identity is the generation's: the store's unique key
makes a second dispatch impossible. It is kept when the generation is deleted.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Billing(StrEnum):
    """Whether the provider takes money for a call."""

    BILLED = "billed"
    NOT_BILLED = "not_billed"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """How a call ended. `INTERRUPTED`: the process died, or stopped waiting, before the answer was known."""

    CALLING = "calling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider said about a call; None where it said nothing.

    Money is in whole nano-dollars (10⁻⁹ USD): exact, and fine enough for a price per token.
    """

    model: str | None = None
    provider: str | None = None
    provider_call_id: str | None = None
    finish_reason: str | None = None
    error_type: str | None = None
    cost_nano_usd: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    attempts: int = 1


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """One paid call to the image model."""

    generation_id: UUID
    user_id: str
    style: str
    quality: str
    model_asked: str
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome = Outcome.CALLING
    billing: Billing = Billing.UNKNOWN
    reason: str | None = None
    facts: ModelFacts = ModelFacts()

    def ended(self, outcome: Outcome, *, at: datetime, reason: str | None = None) -> "ModelCall":
        """The call with its outcome."""
        return msgspec.structs.replace(self, ended_at=at, outcome=outcome, reason=reason)
