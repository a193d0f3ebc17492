"""Valid entities for tests. Keyword arguments replace fields of the entity."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from plushify_core.domain.errors import Code, Reason
from plushify_core.domain.generation import Failure, Generation, StoredImage
from plushify_core.domain.ledger import EntryKind, LedgerEntry, Subscription
from plushify_core.domain.model_call import Billing, ModelCall, ModelFacts, Outcome

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
"""Time with microseconds, which a store must keep."""

SECOND = timedelta(seconds=1)

_numbers = itertools.count(1)


def new_id() -> UUID:
    """Return a UUID version 7 that is greater than all earlier ones, within the same millisecond."""
    return UUID(int=int(NOW.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | next(_numbers))


def image(name: str) -> StoredImage:
    """Return a stored picture with this name."""
    return StoredImage(key=f"generations/x/{name}", media_type="image/webp", width=640, height=480, size_bytes=98_765)


def pending(user_id: str = "ann", **changes: Any) -> Generation:
    """Return a generation that was just submitted."""
    submitted = Generation(
        id=new_id(),
        user_id=user_id,
        style="kawaii",
        quality="high",
        credits_cost=2,
        fingerprint="0a1b2c",
        idempotency_key=None,
        created_at=NOW,
        deadline_at=NOW + 60 * SECOND,
        lease_until=NOW + 20 * SECOND,
        original=image("original"),
    )
    return msgspec.structs.replace(submitted, **changes)


def running(user_id: str = "ann", **changes: Any) -> Generation:
    """Return a generation whose model call is in progress."""
    return pending(user_id, **changes).dispatch(NOW + 90 * SECOND)


def succeeded(user_id: str = "ann", **changes: Any) -> Generation:
    """Return a generation with a picture."""
    return running(user_id, **changes).succeed(
        at=NOW + 9 * SECOND,
        generated=image("generated"),
        thumbnail=image("thumbnail"),
        placeholder="data:image/webp;base64,UklGRg==",
    )


def failed(user_id: str = "ann", *, at: datetime = NOW + 9 * SECOND, **changes: Any) -> Generation:
    """Return a generation that failed at the time `at`."""
    failure = Failure(code=Code.GENERATION_FAILED, reason=Reason.CONTENT_POLICY, retryable=False)
    return running(user_id, **changes).fail(failure, at=at, original_stored=False)


def trashed(user_id: str = "ann", *, at: datetime = NOW + 10 * SECOND, **changes: Any) -> Generation:
    """Return a generation that its user deleted at the time `at`."""
    return succeeded(user_id, **changes).trash(at=at)


def subscription(user_id: str = "ann") -> Subscription:
    """Return a new subscription."""
    return Subscription(user_id=user_id, plan="free", balance=0, created_at=NOW)


def entry(amount: int, user_id: str = "ann", **changes: Any) -> LedgerEntry:
    """Return a grant if `amount` is positive, and a consumption otherwise."""
    posted = LedgerEntry(
        id=new_id(),
        user_id=user_id,
        kind=EntryKind.GRANT if amount > 0 else EntryKind.CONSUME,
        amount=amount,
        reason="a test",
        actor="tester",
        created_at=NOW,
    )
    return msgspec.structs.replace(posted, **changes)


def model_call(generation_id: UUID | None = None, **changes: Any) -> ModelCall:
    """Return a call in progress."""
    call = ModelCall(
        generation_id=generation_id or new_id(),
        user_id="ann",
        style="kawaii",
        quality="high",
        model_asked="maker/model",
        started_at=NOW,
    )
    return msgspec.structs.replace(call, **changes)


def paid_call(cost_nano_usd: int | None, **changes: Any) -> ModelCall:
    """Return a successful call with all facts that a provider can report."""
    facts = ModelFacts(
        model="maker/model-2",
        provider="a provider",
        provider_call_id="gen-1",
        finish_reason="STOP",
        error_type="none",
        cost_nano_usd=cost_nano_usd,
        prompt_tokens=1_300,
        completion_tokens=1_290,
        attempts=2,
    )
    ended = msgspec.structs.replace(
        model_call(),
        ended_at=NOW + SECOND,
        expected_cost_nano_usd=9_000_000_000,
        outcome=Outcome.SUCCEEDED,
        billing=Billing.BILLED,
        reason="drawn",
        facts=facts,
    )
    return msgspec.structs.replace(ended, **changes)
