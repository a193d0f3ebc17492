"""Credits of a user: balance, statement, and postings that do not belong to a generation."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

import msgspec

from plushify_core.domain.errors import InvalidInput, NotFound, Reason
from plushify_core.domain.ledger import SYSTEM, EntryKind, LedgerEntry, Subscription
from plushify_core.domain.limits import Limits
from plushify_core.ports import BalanceChanged, Events, NewId, Store, Transaction
from plushify_core.use_cases._ledger_postings import LedgerPostings


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Page of the ledger entries of a user, newest first. `next_cursor` is None on the last page."""

    items: Sequence[LedgerEntry]
    next_cursor: UUID | None


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a posting that may repeat an earlier one.

    `subscription` is that of the user after the call, and `amount` is the number of credits. `new` is False if an
    earlier call has posted the same; then this call has changed nothing.
    """

    subscription: Subscription
    amount: int
    new: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class CreditsUseCase:
    """Balances and statements. The subscription of a user is created by the first call for this user."""

    store: Store
    events: Events
    new_id: NewId
    limits: Limits

    async def ensure_subscription(self, user_id: str) -> Subscription:
        """Return the subscription of the user. Create it with the free credits if the user is new."""
        async with self.store.begin() as tx:
            return await self._postings.ensure_subscription(tx, user_id)

    async def add_credits(
        self, user_id: str, amount: int, *, reason: str, actor: str = SYSTEM, idempotency_key: str | None = None
    ) -> Posted:
        """Grant credits to the user.

        With an idempotency key, the call can be repeated after any failure, even if it is unknown whether the grant was
        committed. A key grants once per user, for ever, even if the credits have been spent or have expired since.

        Args:
            amount: number of credits, at least 1.
            reason: explanation for the statement.
            actor: the person or program that grants the credits, for the statement.
            idempotency_key: 1 to 255 visible ASCII characters, such as the number of an order. Keys of grants are
                separate from those of submissions.

        Raises:
            InvalidInput: `invalid_credits`; the reason or actor is blank; `idempotency_key_invalid`; or
                `idempotency_key_reused`: the user has a grant with this key and another amount or reason. Another actor
                may repeat a grant.
        """
        if idempotency_key is not None:
            self.limits.validate_idempotency_key(idempotency_key)
        return await self._post(user_id, EntryKind.GRANT, _positive(amount), reason, actor, idempotency_key)

    async def refund_generation(self, user_id: str, generation_id: UUID, *, reason: str, actor: str) -> Posted:
        """Refund a generation that succeeded, but whose picture disappointed.

        A generation is refunded once, so the call can be repeated. A failed one has been refunded already. The price is
        read from the ledger, so a deleted generation can be refunded too, even after its purge.

        Args:
            user_id: the user who was charged.
            generation_id: the finished generation.
            reason: explanation for the statement.
            actor: the person or program that refunds it, for the statement. It is not `SYSTEM`, which marks the refunds
                of failed generations.

        Raises:
            NotFound: this user was not charged for such a generation.
            InvalidInput: `generation_unfinished`, or the reason or actor is blank, or the actor is `SYSTEM`.
        """
        _validate_words(reason, actor)
        if actor == SYSTEM:
            raise InvalidInput(message="Say who gives the credits back.")
        async with self.store.begin() as tx:
            charge = await self._charge_of(tx, generation_id)
            if charge.user_id != user_id:
                raise NotFound
            await self._refuse_unfinished(tx, generation_id)
            price = -charge.amount
            new = await self._postings.post(
                tx, user_id, EntryKind.REFUND, price, reason=reason, actor=actor, generation_id=generation_id
            )
            subscription = await self._postings.ensure_subscription(tx, user_id)
        return await self._publish(Posted(subscription=subscription, amount=price, new=new))

    async def payer_of(self, generation_id: UUID) -> str:
        """Return the id of the user who was charged for a generation, also after its purge.

        Raises:
            NotFound: nobody was charged for such a generation.
        """
        async with self.store.begin() as tx:
            return (await self._charge_of(tx, generation_id)).user_id

    async def is_charged(self, generation_id: UUID) -> bool:
        """Return whether a generation was charged and not refunded, also after its purge."""
        async with self.store.begin() as tx:
            return await self._postings.is_charged(tx, generation_id)

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
        return (await self._post(user_id, EntryKind.CONSUME, -_positive(amount), reason, actor)).subscription

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
        return (await self._post(user_id, EntryKind.ADJUST, amount, reason, actor)).subscription

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

    async def _post(
        self, user_id: str, kind: EntryKind, amount: int, reason: str, actor: str, idempotency_key: str | None = None
    ) -> Posted:
        if abs(amount) > self.limits.max_posting_credits:
            raise InvalidInput(
                Reason.INVALID_CREDITS, f"At most {self.limits.max_posting_credits} credits are moved at once."
            )
        _validate_words(reason, actor)
        async with self.store.begin() as tx:
            await self._postings.ensure_subscription(tx, user_id)
            new = await self._postings.post(
                tx, user_id, kind, amount, reason=reason, actor=actor, idempotency_key=idempotency_key
            )
            if not new and idempotency_key is not None:
                earlier = await tx.credits.by_idempotency_key(user_id, idempotency_key)
                if earlier is None or (earlier.amount, earlier.reason) != (amount, reason):
                    raise InvalidInput(Reason.IDEMPOTENCY_KEY_REUSED)
            subscription = await self._postings.ensure_subscription(tx, user_id)
        return await self._publish(Posted(subscription=subscription, amount=amount, new=new))

    async def _publish(self, posted: Posted) -> Posted:
        # Also for a repetition, because the first call may have died between its commit and this event.
        await self.events.publish(BalanceChanged(user_id=posted.subscription.user_id))
        return posted

    async def _refuse_unfinished(self, tx: Transaction, generation_id: UUID) -> None:
        generation = await tx.generations.get(generation_id)
        if generation is not None and not generation.finished:
            raise InvalidInput(Reason.GENERATION_UNFINISHED)

    async def _charge_of(self, tx: Transaction, generation_id: UUID) -> LedgerEntry:
        for entry in await tx.credits.entries_of(generation_id):
            if entry.kind is EntryKind.CONSUME:
                return entry
        raise NotFound

    @cached_property
    def _postings(self) -> LedgerPostings:
        return LedgerPostings(new_id=self.new_id, limits=self.limits)


def _positive(amount: int) -> int:
    if amount < 1:
        raise InvalidInput(Reason.INVALID_CREDITS)
    return amount


def _validate_words(reason: str, actor: str) -> None:
    if not reason.strip() or not actor.strip():
        raise InvalidInput(message="Say why the credits are moved, and who moves them.")
