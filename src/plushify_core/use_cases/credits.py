"""Credits of a user: balance, statement, and postings that do not belong to a generation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

import msgspec

from plushify_core.domain.errors import InvalidInput, Reason
from plushify_core.domain.ledger import SYSTEM, EntryKind, LedgerEntry, Subscription
from plushify_core.domain.limits import Limits
from plushify_core.ports import BalanceChanged, Events, NewId, Store
from plushify_core.use_cases._ledger_postings import LedgerPostings


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Page of the ledger entries of a user, newest first. `next_cursor` is None on the last page."""

    items: Sequence[LedgerEntry]
    next_cursor: UUID | None


@dataclass(frozen=True, kw_only=True, eq=False)
class CreditsUseCase:
    """Reads and changes balances. The subscription of a user is created by the first call for this user."""

    store: Store
    events: Events
    new_id: NewId
    limits: Limits

    async def ensure_subscription(self, user_id: str) -> Subscription:
        """Return the subscription of the user. Create it with the free credits if the user is new."""
        async with self.store.begin() as tx:
            return await self._postings.ensure_subscription(tx, user_id)

    async def add_credits(self, user_id: str, amount: int, *, reason: str, actor: str = SYSTEM) -> Subscription:
        """Grant credits to the user.

        Args:
            amount: number of credits, at least 1.
            reason: explanation for the statement.
            actor: the person or program that grants the credits, for the statement.

        Raises:
            InvalidInput: `invalid_credits`, or the reason or actor is blank.
        """
        return await self._post(user_id, EntryKind.GRANT, _positive(amount), reason, actor)

    async def consume_credits(self, user_id: str, amount: int, *, reason: str, actor: str = SYSTEM) -> Subscription:
        """Take credits from the user for something other than a generation.

        Args:
            user_id: user who pays.
            amount: number of credits, at least 1.
            reason: explanation for the statement.
            actor: the person or program that takes the credits, for the statement.

        Raises:
            InsufficientCredits: the balance is lower than `amount`; nothing was taken.
            InvalidInput: `invalid_credits`, or the reason or actor is blank.
        """
        return await self._post(user_id, EntryKind.CONSUME, -_positive(amount), reason, actor)

    async def adjust_credits(self, user_id: str, amount: int, *, reason: str, actor: str) -> Subscription:
        """Correct the balance of the user.

        Args:
            user_id: user whose balance is wrong.
            amount: number of credits to add, or to take if it is negative. It is not 0.
            reason: explanation for the statement.
            actor: the person who corrects the balance, for the statement.

        Raises:
            InsufficientCredits: the balance would become negative; nothing was changed.
            InvalidInput: `invalid_credits`, or the reason or actor is blank.
        """
        if amount == 0:
            raise InvalidInput(Reason.INVALID_CREDITS)
        return await self._post(user_id, EntryKind.ADJUST, amount, reason, actor)

    async def statement(self, user_id: str, *, cursor: UUID | None = None, limit: int = 50) -> Statement:
        """Return up to `limit` entries of the user after `cursor`, newest first.

        Raises:
            InvalidInput: `limit` is not between 1 and `max_page_items`.
        """
        self.limits.validate_page(limit)
        async with self.store.begin() as tx:
            await self._postings.ensure_subscription(tx, user_id)
            found = await tx.credits.entries(user_id, after=cursor, limit=limit + 1)
        items = found[:limit]
        return Statement(items=items, next_cursor=items[-1].id if len(found) > limit else None)

    async def _post(self, user_id: str, kind: EntryKind, amount: int, reason: str, actor: str) -> Subscription:
        if abs(amount) > self.limits.max_posting_credits:
            raise InvalidInput(
                Reason.INVALID_CREDITS, f"At most {self.limits.max_posting_credits} credits are moved at once."
            )
        if not reason.strip() or not actor.strip():
            raise InvalidInput(message="Say why the credits are moved, and who moves them.")
        async with self.store.begin() as tx:
            await self._postings.ensure_subscription(tx, user_id)
            await self._postings.post(tx, user_id, kind, amount, reason=reason, actor=actor)
            subscription = await self._postings.ensure_subscription(tx, user_id)
        await self.events.publish(BalanceChanged(user_id=user_id))
        return subscription

    @cached_property
    def _postings(self) -> LedgerPostings:
        return LedgerPostings(new_id=self.new_id, limits=self.limits)


def _positive(amount: int) -> int:
    if amount < 1:
        raise InvalidInput(Reason.INVALID_CREDITS)
    return amount
