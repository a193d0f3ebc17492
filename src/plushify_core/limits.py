"""Every limit and duration of the domain, by name, with a safe default."""

from datetime import timedelta

import msgspec

from plushify_core.catalog import FREE_CREDITS
from plushify_core.errors import InvalidInput


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds (`_s`), sizes in bytes or pixels.

    A pending generation that nobody has dispatched after `pending_lease_s` may be taken over. A running one may
    be settled `lease_margin_s` after its deadline: the margin covers the time to settle and the difference
    between the clocks of two machines. What was deleted can be restored for `undo_delete_s`.
    What a failed generation left in the blob store is looked for `late_write_s` after its end: longer than any write
    takes that a process had begun for it, and the difference between the clocks of two machines.
    Nobody moves more than `max_posting_credits` at once, so that no database's integers overflow.
    Granted credits expire after `credits_expire_days`; None: never.
    The audit has `audit_listings` listings of blobs under way at once: a remote store takes its time for each, and the
    blob stores that ship do no more than so many things side by side.
    New generations are refused once the model calls of the day (UTC) have cost `daily_spend_nano_usd`; None: never.
    """

    timeout_s: float = 60.0
    pending_lease_s: float = 20.0
    lease_margin_s: float = 30.0
    late_write_s: float = 120.0
    undo_delete_s: float = 30.0
    free_credits: int = FREE_CREDITS
    credits_expire_days: int | None = None
    max_posting_credits: int = 1_000_000_000
    max_upload_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 50_000_000
    max_in_flight_per_user: int = 3
    max_idempotency_key_chars: int = 255
    max_page_items: int = 100
    sweep_batch: int = 100
    audit_batch: int = 500
    audit_listings: int = 8
    daily_spend_nano_usd: int | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is None:
                continue
            lowest = 0 if name in {"undo_delete_s", "free_credits"} else 1e-9
            if value < lowest:
                raise ValueError(f"the limit {name} is {value}: it must be {'0 or more' if not lowest else 'positive'}")

    @property
    def timeout(self) -> timedelta:
        """How long a generation may take, from its submission to its picture."""
        return timedelta(seconds=self.timeout_s)

    @property
    def pending_lease(self) -> timedelta:
        """How long a submitted generation may wait for its dispatch before another process takes it over."""
        return timedelta(seconds=self.pending_lease_s)

    @property
    def lease_margin(self) -> timedelta:
        """How long after its deadline a running generation still belongs to its process."""
        return timedelta(seconds=self.lease_margin_s)

    @property
    def late_write(self) -> timedelta:
        """How long after the end of a failed generation something may still be stored for it."""
        return timedelta(seconds=self.late_write_s)

    @property
    def credits_lifetime(self) -> timedelta | None:
        """How long granted credits can be spent; None for ever."""
        return None if self.credits_expire_days is None else timedelta(days=self.credits_expire_days)

    @property
    def undo_window(self) -> timedelta:
        """How long a deleted generation can be restored."""
        return timedelta(seconds=self.undo_delete_s)

    def check_page(self, items: int) -> None:
        """Refuse a page of fewer than one or more than `max_page_items` items.

        Raises:
            InvalidInput: it is.
        """
        if not 1 <= items <= self.max_page_items:
            raise InvalidInput(message=f"A page has 1 to {self.max_page_items} items.")
