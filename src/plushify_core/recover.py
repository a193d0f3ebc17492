"""Putting right what a dead process left behind, and erasing what was deleted.

Any process may do it at any time, and several at once: each step is a compare-and-set.
"""

import logging
from collections.abc import Awaitable
from uuid import UUID

import msgspec

from plushify_core.bookkeeping import Bookkeeping
from plushify_core.drawing import GENERATED, ORIGINAL, THUMBNAIL, NotDrawn, remove_blobs
from plushify_core.errors import Reason
from plushify_core.generation import Generation, Status
from plushify_core.limits import Limits
from plushify_core.model_call import Outcome
from plushify_core.ports import BalanceChanged, BlobStore, Clock, Events, NewId, Store, Transaction, changes_of

log = logging.getLogger(__name__)


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What a sweep did: how many generations it settled with a refund and how many it erased, of how many users
    it expired credits, and which generations it took over: the caller runs those (`GenerateUseCase.run`)."""

    refunded: int = 0
    purged: int = 0
    expired: int = 0
    to_run: tuple[UUID, ...] = ()


class RecoverUseCase:
    """The periodic job of every replica."""

    def __init__(
        self, *, store: Store, blobs: BlobStore, events: Events, clock: Clock, new_id: NewId, limits: Limits
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._limits = limits
        self._books = Bookkeeping(clock=clock, new_id=new_id, limits=limits)

    async def sweep(self) -> Swept:
        """Settle what was abandoned and erase what was deleted, one batch of each.

        A running generation whose lease is over is refunded and never dispatched again: its model call may
        have been paid. A pending one was never dispatched, so it is taken over while there is time.
        """
        refunded, to_run = await self._settle_abandoned()
        purged = await _or_later(self._purge())
        expired = await _or_later(self._expire_credits())
        await _or_later(self._forget_sessions())
        return Swept(refunded=refunded, purged=purged, expired=expired, to_run=to_run)

    async def _settle_abandoned(self) -> tuple[int, tuple[UUID, ...]]:
        now = self._clock()
        failed: list[tuple[Generation, Generation]] = []
        to_run: list[UUID] = []
        async with self._store.begin() as tx:
            batch = await tx.generations.abandoned(now, limit=self._limits.sweep_batch)
            # In one order for all, so that two sweeps never wait for each other's users.
            for abandoned in sorted(batch, key=lambda generation: generation.user_id):
                if abandoned.status is Status.PENDING and now < abandoned.deadline_at:
                    taken = abandoned.reclaimed(abandoned.deadline_at + self._limits.lease_margin)
                    if await tx.generations.replace(abandoned, taken):
                        to_run.append(abandoned.id)
                elif (settled := await self._interrupt(tx, abandoned)) is not None:
                    failed.append((abandoned, settled))
        for abandoned, settled in failed:
            log.warning("generation %s was abandoned while %s: refunded", abandoned.id, abandoned.status)
            await self._events.publish(*changes_of(settled))
            leftovers = (ORIGINAL,) if abandoned.status is Status.PENDING else (GENERATED, THUMBNAIL)
            await remove_blobs(self._blobs, abandoned, *leftovers)
        return len(failed), tuple(to_run)

    async def _interrupt(self, tx: Transaction, abandoned: Generation) -> Generation | None:
        return await self._books.fail(
            tx,
            abandoned,
            NotDrawn(reason=Reason.INTERRUPTED).failure,
            outcome=Outcome.INTERRUPTED,
            # Whether the photo of a pending one was ever stored is not known: nothing of it is kept.
            original_stored=abandoned.status is Status.RUNNING,
        )

    async def _expire_credits(self) -> int:
        async with self._store.begin() as tx:
            due = await tx.credits.expiring(self._clock(), limit=self._limits.sweep_batch)
            for user_id in sorted(subscription.user_id for subscription in due):
                await self._books.expire(tx, user_id)
        for subscription in due:
            await self._events.publish(BalanceChanged(user_id=subscription.user_id))
        return len(due)

    async def _forget_sessions(self) -> int:
        async with self._store.begin() as tx:
            return await tx.users.remove_expired_sessions(self._clock())

    async def _purge(self) -> int:
        deleted_before = self._clock() - self._limits.undo_window
        async with self._store.begin() as tx:
            trash = await tx.generations.expired_trash(deleted_before, limit=self._limits.sweep_batch)
            condemned = [
                purging for deleted in trash if await tx.generations.replace(deleted, purging := deleted.being_purged())
            ]
        return sum([await self._erase(generation) for generation in condemned])

    async def _erase(self, generation: Generation) -> bool:
        """Blobs first, then the row: a crash between the two is finished by the next sweep."""
        try:
            keys = [key async for key in self._blobs.keys(generation.blob_prefix)]
            for key in keys:
                await self._blobs.delete(key)
        except Exception:
            log.exception("generation %s: cannot erase its pictures, the next sweep will", generation.id)
            return False
        async with self._store.begin() as tx:
            return await tx.generations.remove(generation)


async def _or_later(job: Awaitable[int]) -> int:
    """How many a job has done. One that fails is left to the next sweep: whatever it is, what this one has taken
    over must be run."""
    try:
        return await job
    except Exception:
        log.exception("the sweep could not do all of its work, the next one will")
        return 0
