"""Limits and durations of the domain, each with a safe default."""

from datetime import timedelta

import msgspec

from plushify_core.domain.catalog import FREE_CREDITS
from plushify_core.domain.errors import InvalidInput, Reason

_MAY_BE_ZERO = {"undo_delete_s", "free_credits", "drain_s", "orphan_age_days", "orphan_percent", "orphan_count"}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one installation. Durations end in `_s` and are seconds; sizes are bytes or pixels.

    Args:
        timeout_s: time from the submission of a generation to its picture.
        pending_lease_s: time after which another process may reclaim a generation that is pending.
        lease_s: lease of a running generation. Its process renews it every third of this time. After the process dies,
            another one settles the generation when the rest of the lease has passed.
        settle_timeout_s: time during which a process tries to commit the result of a generation.
        late_write_s: time after a failure during which a write for the failed generation may still reach the blob
            store. It covers the slowest write.
        undo_delete_s: time during which a deleted generation can be restored.
        free_credits: credits of a new user.
        credits_expire_days: days after which granted credits expire; None: never.
        max_posting_credits: largest amount of one posting, so that no integer column of a database overflows.
        max_upload_bytes: largest size of an uploaded photo, in bytes.
        max_pixels: largest number of pixels of an uploaded photo.
        max_in_flight_per_user: unfinished generations of one user.
        max_in_flight: generations that one process accepts at once: submitting, queued or running.
        max_running: generations that one process runs at once.
        max_idempotency_key_chars: longest idempotency key, in characters.
        max_page_items: largest page of a list.
        sweep_interval_s: time between two sweeps. Keep it at two thirds of `lease_s` or less. Then a sweep notices
            every database outage that is long enough for a lease to expire.
        sweep_batch: rows of each kind that one sweep handles.
        drain_s: time that a graceful shutdown waits for running generations.
        audit_batch: rows or keys that the audit reads at once.
        audit_listings: listings of the blob store that the audit runs concurrently. The blob stores of
            `plushify_adapters` run no more requests at once than the default, so a higher number has no effect there.
        orphan_age_days: age in days from which an orphaned blob may be removed.
        orphan_percent: share of all listed blobs that one removal of orphaned blobs may move, in percent.
        orphan_count: number of orphaned blobs that a removal may move even if it is a larger share.
        blob_trash_days: days after its removal when an orphaned blob is erased for good.
        daily_spend_nano_usd: limit of the cost of the model calls of one day (UTC), in nano-dollars; None: no limit.
            When it is reached, the model is not called again that day. A call whose cost is not known counts with its
            expected price.
        expected_call_cost_nano_usd: expected price of a call, in nano-dollars, if neither the model nor its recent
            calls have a known price.
        failed_generations_per_user_per_day: costly failures of one user and day (UTC): generations that fail after a
            model call that was billed or may have been; None: no limit.
    """

    timeout_s: float = 60.0
    pending_lease_s: float = 20.0
    lease_s: float = 10.0
    settle_timeout_s: float = 60.0
    late_write_s: float = 120.0
    undo_delete_s: float = 30.0
    free_credits: int = FREE_CREDITS
    credits_expire_days: int | None = None
    max_posting_credits: int = 1_000_000_000
    max_upload_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_in_flight_per_user: int = 3
    max_in_flight: int = 64
    max_running: int = 16
    max_idempotency_key_chars: int = 255
    max_page_items: int = 100
    sweep_interval_s: float = 5.0
    sweep_batch: int = 100
    drain_s: float = 20.0
    audit_batch: int = 500
    audit_listings: int = 8
    orphan_age_days: float = 7.0
    orphan_percent: float = 5.0
    orphan_count: int = 10
    blob_trash_days: int = 30
    daily_spend_nano_usd: int | None = None
    expected_call_cost_nano_usd: int = 40_000_000
    failed_generations_per_user_per_day: int | None = 20

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is None:
                continue
            lowest = 0 if name in _MAY_BE_ZERO else 1e-9
            if value < lowest:
                raise ValueError(f"the limit {name} is {value}: it must be {'0 or more' if not lowest else 'positive'}")

    @property
    def timeout(self) -> timedelta:
        """Time from the submission of a generation to its picture."""
        return timedelta(seconds=self.timeout_s)

    @property
    def pending_lease(self) -> timedelta:
        """Time after which another process may reclaim a generation that is pending."""
        return timedelta(seconds=self.pending_lease_s)

    @property
    def lease(self) -> timedelta:
        """Lease of a running generation."""
        return timedelta(seconds=self.lease_s)

    @property
    def settle_timeout(self) -> timedelta:
        """Time during which a process tries to commit the result of a generation."""
        return timedelta(seconds=self.settle_timeout_s)

    @property
    def late_write(self) -> timedelta:
        """Time after a failure during which a write may still reach the blob store."""
        return timedelta(seconds=self.late_write_s)

    @property
    def credits_lifetime(self) -> timedelta | None:
        """Time after which granted credits expire; None: never."""
        return None if self.credits_expire_days is None else timedelta(days=self.credits_expire_days)

    @property
    def undo_window(self) -> timedelta:
        """Time during which a deleted generation can be restored."""
        return timedelta(seconds=self.undo_delete_s)

    def validate_idempotency_key(self, key: str) -> None:
        """Validate the idempotency key of a submission or a grant: 1 to 255 visible ASCII characters by default.

        Raises:
            InvalidInput: `idempotency_key_invalid`.
        """
        has_valid_length = 1 <= len(key) <= self.max_idempotency_key_chars
        if not (has_valid_length and all("!" <= char <= "~" for char in key)):
            raise InvalidInput(Reason.IDEMPOTENCY_KEY_INVALID)

    @property
    def orphan_age(self) -> timedelta:
        """Age from which an orphaned blob may be removed."""
        return timedelta(days=self.orphan_age_days)

    def removable_orphans(self, listed: int) -> int:
        """Return how many orphaned blobs one removal may move if `listed` blobs are stored."""
        return max(self.orphan_count, int(listed * self.orphan_percent / 100))

    def validate_page(self, items: int) -> None:
        """Validate the number of items of a page.

        Raises:
            InvalidInput: `items` is less than 1 or more than `max_page_items`.
        """
        if not 1 <= items <= self.max_page_items:
            raise InvalidInput(message=f"A page has 1 to {self.max_page_items} items.")
