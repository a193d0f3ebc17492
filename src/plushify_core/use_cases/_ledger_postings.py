"""Postings to the credit ledger.

All ledger entries are written here. Each method runs in the transaction of its caller. So an entry and the change that
it belongs to, such as a new generation and its price, are committed together or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from plushify_core.domain.generation import Generation, IllegalTransition
from plushify_core.domain.grant_expiry import left_of_grants
from plushify_core.domain.ledger import SYSTEM, EntryKind, LedgerEntry, Subscription
from plushify_core.domain.limits import Limits
from plushify_core.ports import NewId, Transaction

PLAN = "free"
"""Plan of a new user."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LedgerPostings:
    """Writer of the credit ledger.

    Args:
        new_id: ids of the entries.
        limits: free credits of a new user, and lifetime of granted credits.
    """

    new_id: NewId
    limits: Limits

    async def ensure_subscription(self, tx: Transaction, user_id: str) -> Subscription:
        """Return the subscription of the user. Create it with the free credits if the user is new."""
        new = Subscription(user_id=user_id, plan=PLAN, balance=0, created_at=await tx.now())
        opened = await tx.credits.open(new)
        if opened and self.limits.free_credits:
            await self.post(tx, user_id, EntryKind.GRANT, self.limits.free_credits, reason="free credits")
        subscription = await tx.credits.subscription(user_id)
        assert subscription is not None, "this transaction or an earlier one has opened it"
        return subscription

    async def post(
        self,
        tx: Transaction,
        user_id: str,
        kind: EntryKind,
        amount: int,
        *,
        reason: str,
        actor: str = SYSTEM,
        generation_id: UUID | None = None,
        expires_grant: UUID | None = None,
        idempotency_key: str | None = None,
    ) -> bool:
        """Post one entry of `amount` credits (signed).

        Returns:
            Whether the entry was posted. It is not if it repeats an earlier one: the generation already has an entry of
            this kind, an entry with the same `expires_grant` exists, or the user has a grant with this idempotency key.

        Raises:
            InsufficientCredits: the balance would become negative.
        """
        now = await tx.now()
        lifetime = self.limits.credits_lifetime if kind is EntryKind.GRANT else None
        entry = LedgerEntry(
            id=self.new_id(),
            user_id=user_id,
            kind=kind,
            amount=amount,
            reason=reason,
            actor=actor,
            created_at=now,
            generation_id=generation_id,
            expires_at=now + lifetime if lifetime else None,
            expires_grant=expires_grant,
            idempotency_key=idempotency_key,
        )
        posted = await tx.credits.post(entry)
        if posted and entry.expires_at is not None:
            await self._plan_expiry(tx, user_id, entry.expires_at)
        return posted

    async def charge(self, tx: Transaction, generation: Generation) -> None:
        """Take the price of a generation from its user.

        Raises:
            InsufficientCredits: the balance is lower than the price.
            IllegalTransition: the ledger has a charge for this id already, so the generation would be free. It is a bug
                of the source of the ids.
        """
        charged = await self.post(
            tx,
            generation.user_id,
            EntryKind.CONSUME,
            -generation.credits_cost,
            reason=f"{generation.style}, {generation.quality}",
            actor=generation.user_id,
            generation_id=generation.id,
        )
        if not charged:
            raise IllegalTransition(f"generation {generation.id} was charged before")

    async def refund(self, tx: Transaction, generation: Generation, *, reason: str) -> None:
        """Return the price of a generation to its user. A second refund posts nothing."""
        await self.post(
            tx,
            generation.user_id,
            EntryKind.REFUND,
            generation.credits_cost,
            reason=reason,
            generation_id=generation.id,
        )

    async def is_charged(self, tx: Transaction, generation_id: UUID) -> bool:
        """Return whether a generation was charged and not refunded. The ledger knows this also after its purge."""
        return sum(entry.amount for entry in await tx.credits.entries_of(generation_id)) < 0

    async def expire(self, tx: Transaction, user_id: str) -> None:
        """Remove the credits left of the expired grants of the user."""
        now = await tx.now()
        entries = await self._all_entries(tx, user_id)
        left = left_of_grants(entries)
        for grant in entries:
            if grant.expires_at is not None and grant.expires_at <= now and left[grant.id]:
                await self.post(
                    tx, user_id, EntryKind.ADJUST, -left[grant.id], reason="expired", expires_grant=grant.id
                )
        upcoming = [grant.expires_at for grant in entries if grant.expires_at is not None and grant.expires_at > now]
        await tx.credits.plan_expiry(user_id, min(upcoming, default=None))

    async def _plan_expiry(self, tx: Transaction, user_id: str, at: datetime) -> None:
        subscription = await tx.credits.subscription(user_id)
        assert subscription is not None, "an entry was just posted to it"
        if subscription.next_expiry_at is None or at < subscription.next_expiry_at:
            await tx.credits.plan_expiry(user_id, at)

    async def _all_entries(self, tx: Transaction, user_id: str) -> Sequence[LedgerEntry]:
        """Return all entries of the user, oldest first."""
        entries: list[LedgerEntry] = []
        page_items = self.limits.max_page_items
        while True:
            after = entries[-1].id if entries else None
            page = await tx.credits.entries(user_id, after=after, limit=page_items)
            entries.extend(page)
            if len(page) < page_items:
                return entries[::-1]
