"""A user's credits: balance, statement, and what moves them apart from generations."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from plushify_core.bookkeeping import SYSTEM, Bookkeeping
from plushify_core.errors import InvalidInput, Reason
from plushify_core.ledger import EntryKind, LedgerEntry, Subscription
from plushify_core.limits import Limits
from plushify_core.ports import BalanceChanged, Clock, Events, NewId, Store


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a user's entries, newest first, and where the next page begins (None on the last)."""

    items: Sequence[LedgerEntry]
    next_cursor: UUID | None


class CreditsUseCase:
    """Balances and postings. Every user has a subscription from the moment they are first asked about."""

    def __init__(self, *, store: Store, events: Events, clock: Clock, new_id: NewId, limits: Limits) -> None:
        self._store = store
        self._events = events
        self._limits = limits
        self._books = Bookkeeping(clock=clock, new_id=new_id, limits=limits)

    async def ensure_subscription(self, user_id: str) -> Subscription:
        """The user's subscription, made with the free credits on first sight."""
        async with self._store.begin() as tx:
            return await self._books.ensure_subscription(tx, user_id)

    async def add_credits(self, user_id: str, amount: int, *, reason: str, actor: str = SYSTEM) -> Subscription:
        """Grant `amount` credits, one at least. `reason` and `actor` stand in the statement.

        Raises:
            InvalidInput: `invalid_credits`, or no reason is given.
        """
        return await self._post(user_id, EntryKind.GRANT, _positive(amount), reason, actor)

    async def consume_credits(self, user_id: str, amount: int, *, reason: str, actor: str = SYSTEM) -> Subscription:
        """Take `amount` credits, one at least, for something that is no generation.

        Raises:
            InsufficientCredits: the balance does not cover it; nothing was taken.
            InvalidInput: as `add_credits`.
        """
        return await self._post(user_id, EntryKind.CONSUME, -_positive(amount), reason, actor)

    async def adjust_credits(self, user_id: str, amount: int, *, reason: str, actor: str) -> Subscription:
        """Correct the books by `amount` (signed) credits.

        Raises:
            InsufficientCredits: the balance would go below zero; nothing was moved.
            InvalidInput: as `add_credits`.
        """
        if amount == 0:
            raise InvalidInput(Reason.INVALID_CREDITS)
        return await self._post(user_id, EntryKind.ADJUST, amount, reason, actor)

    async def statement(self, user_id: str, *, cursor: UUID | None = None, limit: int = 50) -> Statement:
        """Up to `limit` of the user's entries, newest first, beginning behind `cursor`.

        Raises:
            InvalidInput: `limit` is not between 1 and `max_page_items`.
        """
        self._limits.check_page(limit)
        async with self._store.begin() as tx:
            await self._books.ensure_subscription(tx, user_id)
            found = await tx.credits.entries(user_id, after=cursor, limit=limit + 1)
        items = found[:limit]
        return Statement(items=items, next_cursor=items[-1].id if len(found) > limit else None)

    async def _post(self, user_id: str, kind: EntryKind, amount: int, reason: str, actor: str) -> Subscription:
        if abs(amount) > self._limits.max_posting_credits:
            raise InvalidInput(
                Reason.INVALID_CREDITS, f"At most {self._limits.max_posting_credits} credits are moved at once."
            )
        if not reason.strip() or not actor.strip():
            raise InvalidInput(message="Say why the credits are moved, and who moves them.")
        async with self._store.begin() as tx:
            await self._books.ensure_subscription(tx, user_id)
            await self._books.post(tx, user_id, kind, amount, reason=reason, actor=actor)
            subscription = await self._books.ensure_subscription(tx, user_id)
        await self._events.publish(BalanceChanged(user_id=user_id))
        return subscription


def _positive(amount: int) -> int:
    if amount < 1:
        raise InvalidInput(Reason.INVALID_CREDITS)
    return amount
