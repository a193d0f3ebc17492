"""How far a generation has come, and whether it may go on after a failure."""

import asyncio
from collections.abc import Callable

import httpx
import msgspec

from plushify_core.domain.model_call import Billing, ModelFacts

from ._failures import CallFailed, Retry
from ._options import Api
from ._request import RequestBody


class Progress:
    """How far a generation has come, for the moment when its time is over."""

    body: RequestBody

    def __init__(self, api: Api) -> None:
        self.attempts = 0
        self.retried_once = False
        self.facts = ModelFacts()
        self._api = api
        self._call_id: str | None = None
        self._answering = False
        self._known_billing: Billing | None = None

    def attempt_begins(self, attempt: int, body: RequestBody) -> None:
        """An attempt begins, of which nothing is known."""
        self.attempts = attempt
        self.body = body
        self.facts = ModelFacts()
        self._call_id = None
        self._answering = False
        self._known_billing = None

    def answer_begins(self, response: httpx.Response) -> None:
        """The head of the answer is here."""
        self._answering = True
        call_id = response.headers.get("X-Generation-Id", "")
        self._call_id = call_id if call_id.isprintable() and 0 < len(call_id) <= 200 else None

    def learn(self, billing: Billing, facts: ModelFacts) -> None:
        """The answer has told what it costs."""
        self._known_billing = billing
        self.facts = facts

    def failed(self, failure: CallFailed) -> CallFailed:
        """What is learned from a failure; gives it back, to raise it."""
        self.learn(failure.billing, failure.facts)
        return failure

    @property
    def billing(self) -> Billing:
        """Whether the attempt under way is billed if it is given up now.

        A chat call goes on without us; a call of `/images` that is given up before its answer is not billed.
        """
        if self._known_billing is not None:
            return self._known_billing
        if not self.attempts or not self.body.complete:
            return Billing.NOT_BILLED
        if self._api is Api.IMAGES and not self._answering:
            return Billing.NOT_BILLED
        return Billing.UNKNOWN

    def complete(self, facts: ModelFacts) -> ModelFacts:
        """The facts of an answer with those of the call around it."""
        return msgspec.structs.replace(
            facts,
            provider_call_id=facts.provider_call_id or self._call_id,
            attempts=max(1, self.attempts),
        )


def may_try_again(
    progress: Progress, deadline: asyncio.Timeout, first_pause_s: float
) -> Callable[[Exception], bool | float]:
    """The rule of the retries: not billed, allowed by the table, and with the pause inside the deadline.

    A pause that would outlast the deadline is not begun: the user hears at once what an idle minute would not change.
    """

    def decide(error: Exception) -> bool | float:
        if not isinstance(error, CallFailed) or error.retry is Retry.NEVER:
            return False
        if error.retry is Retry.ONCE and progress.retried_once:
            return False
        progress.retried_once |= error.retry is Retry.ONCE
        pause_s = error.retry_after_s
        longest_pause_s = first_pause_s * (2 ** (progress.attempts - 1) + 1) if pause_s is None else pause_s
        end = deadline.when()
        assert end is not None
        if asyncio.get_running_loop().time() + longest_pause_s >= end:
            return False
        return True if pause_s is None else pause_s

    return decide
