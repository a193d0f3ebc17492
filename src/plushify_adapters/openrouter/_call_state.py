"""State of one call to the model across its attempts."""

from dataclasses import dataclass, field

import httpx
import msgspec

from plushify_adapters.openrouter._failures import CallFailed
from plushify_adapters.openrouter._options import Api
from plushify_adapters.openrouter._request import RequestBody
from plushify_core.domain.model_call import Billing, ModelFacts


@dataclass(kw_only=True, eq=False)
class CallState:
    """Attempts, facts and billing of a call so far, so that a timeout can report them.

    Attributes:
        api: API that is called.
        attempts: Number of the current attempt, from 1; 0 before the first one.
        retried_once: Whether the single retry of a `Retry.ONCE` failure is used up.
        facts: Facts from the answer to the current attempt.
    """

    api: Api
    attempts: int = 0
    retried_once: bool = False
    facts: ModelFacts = field(default_factory=ModelFacts)
    _body: RequestBody | None = field(default=None, init=False)
    _call_id: str | None = field(default=None, init=False)
    _response_started: bool = field(default=False, init=False)
    _known_billing: Billing | None = field(default=None, init=False)

    def begin_attempt(self, number: int, body: RequestBody) -> None:
        """Start an attempt, and discard the state of the previous one."""
        self.attempts = number
        self.facts = ModelFacts()
        self._body = body
        self._call_id = None
        self._response_started = False
        self._known_billing = None

    def begin_response(self, response: httpx.Response) -> None:
        """Record that the headers of the response have arrived, and the call id in them."""
        self._response_started = True
        call_id = response.headers.get("X-Generation-Id", "")
        self._call_id = call_id if call_id.isprintable() and 0 < len(call_id) <= 200 else None

    def record(self, billing: Billing, facts: ModelFacts) -> None:
        """Record the billing and the facts that an answer reports."""
        self._known_billing = billing
        self.facts = facts

    def record_failure(self, failure: CallFailed) -> CallFailed:
        """Record the billing and the facts of a failure, and return it for the caller to raise."""
        self.record(failure.billing, failure.facts)
        return failure

    @property
    def billing(self) -> Billing:
        """Billing of the current attempt if it is abandoned now.

        OpenRouter completes and bills an abandoned chat call, but not an images call abandoned before its response.
        """
        if self._known_billing is not None:
            return self._known_billing
        if self._body is None or not self._body.complete:
            return Billing.NOT_BILLED
        if self.api is Api.IMAGES and not self._response_started:
            return Billing.NOT_BILLED
        return Billing.UNKNOWN

    def with_call_facts(self, facts: ModelFacts) -> ModelFacts:
        """Return the facts with the number of attempts, and with the call id from the headers if they have none."""
        return msgspec.structs.replace(
            facts,
            provider_call_id=facts.provider_call_id or self._call_id,
            attempts=max(1, self.attempts),
        )
