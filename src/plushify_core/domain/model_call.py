"""Record of a call to the image model: its cost and its outcome.

The transaction that dispatches a generation adds the record before the model is called. The transaction that ends the
generation adds the outcome. The id of the generation is the unique key of the record, so a second dispatch is
impossible. The record is kept when the generation is deleted.
"""

from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

import msgspec


class Billing(StrEnum):
    """Whether the provider charges for a call."""

    BILLED = "billed"
    NOT_BILLED = "not_billed"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """Outcome of a call. `CALLING`: not known yet. `INTERRUPTED`: the process died or stopped waiting."""

    CALLING = "calling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about a call as the provider reported them. A fact that it did not report is None.

    Costs are in whole nano-dollars (10⁻⁹ USD). Whole numbers are exact, and the unit is small enough for the price of a
    token.
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

    def updated_by(self, later: Self) -> Self:
        """Return these facts with those that a later report adds. A fact that it leaves out stays."""
        reported = {name: value for name in self.__struct_fields__ if (value := getattr(later, name)) is not None}
        return msgspec.structs.replace(self, **reported | {"attempts": max(self.attempts, later.attempts)})


class ModelCall(msgspec.Struct, frozen=True, kw_only=True):
    """Record of one paid call to the image model.

    `expected_cost_nano_usd` is the price expected at the dispatch; None in records of earlier versions, which did not
    store it. The price that the provider reported is `facts.cost_nano_usd`.

    Several processes may report about one call, in any order: the one that made it, and a sweep that interrupted it.
    So each method only adds what was unknown.
    """

    generation_id: UUID
    user_id: str
    style: str
    quality: str
    model_asked: str
    started_at: datetime
    expected_cost_nano_usd: int | None = None
    ended_at: datetime | None = None
    outcome: Outcome = Outcome.CALLING
    billing: Billing = Billing.UNKNOWN
    reason: str | None = None
    facts: ModelFacts = ModelFacts()

    def end(self, outcome: Outcome, *, at: datetime, reason: str | None = None) -> Self:
        """Return the call with its outcome. The first outcome stays."""
        if self.outcome is not Outcome.CALLING:
            return self
        return msgspec.structs.replace(self, ended_at=at, outcome=outcome, reason=reason)

    def bill(self, billing: Billing, facts: ModelFacts) -> Self:
        """Return the call with what is known of its cost. Less certain knowledge changes nothing.

        `BILLED` is never replaced, because a billed call must not be recorded as one that costs nothing.
        """
        if billing is Billing.UNKNOWN or self.billing is Billing.BILLED:
            billing = self.billing
        return msgspec.structs.replace(self, billing=billing, facts=self.facts.updated_by(facts))

    def counted_cost_nano_usd(self, default: int) -> int:
        """Return what the call counts towards a spending limit, in nano-dollars.

        This is the reported cost. If that is not known, it is 0 for a call that was not billed, and the expected price
        for every other call, including one in flight.

        Args:
            default: expected price of a call whose record has none, in nano-dollars.
        """
        if self.facts.cost_nano_usd is not None:
            return self.facts.cost_nano_usd
        if self.billing is Billing.NOT_BILLED:
            return 0
        return default if self.expected_cost_nano_usd is None else self.expected_cost_nano_usd

    @property
    def is_costly_failure(self) -> bool:
        """Whether the call ended without a picture and was billed or may have been.

        A call with the expected price 0 has cost nothing unless the provider says that it was billed.
        """
        if self.outcome not in (Outcome.FAILED, Outcome.INTERRUPTED):
            return False
        return self.billing is Billing.BILLED or (self.billing is Billing.UNKNOWN and self.expected_cost_nano_usd != 0)


class SecondDispatch(Exception):
    """Dispatch of a generation whose model call is recorded already. It is rolled back, and the model is not called."""
