"""Putting right what a dead process left behind, and erasing what was deleted.

Any process may do it at any time, and several at once: each step is a compare-and-set.
"""

import logging
from collections.abc import Awaitable, Collection
from datetime import datetime
from uuid import UUID

import msgspec

from plushify_core.bookkeeping import Bookkeeping
from plushify_core.drawing import NotDrawn
from plushify_core.errors import Reason
from plushify_core.generation import Generation, Status
from plushify_core.limits import Limits
from plushify_core.model_call import Outcome
from plushify_core.ports import BalanceChanged, BlobStore, Clock, Events, NewId, Store, Transaction, changes_of

log = logging.getLogger(__name__)


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: how many generations were refunded, of how many users credits expired, how many deleted
    generations were erased, after how many failed ones was cleared up, and which generations were taken over: the
    caller runs those (`GenerateUseCase.run`)."""

    refunded: int = 0
    expired: int = 0
    purged: int = 0
    tidied: int = 0
    to_run: tuple[UUID, ...] = ()


class RecoverUseCase:
    """The periodic jobs of every replica. They are two, so that no refund ever waits for a blob store that does not
    answer: `settle` needs the store alone, and `tidy` removes blobs."""

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
        """Settle and tidy, for whoever does one after the other."""
        settled, tidied = await self.settle(), await self.tidy()
        return msgspec.structs.replace(settled, purged=tidied.purged, tidied=tidied.tidied)

    async def settle(self) -> Swept:
        """Settle what was abandoned, one batch, and expire credits.

        A running generation whose lease is over is refunded and never dispatched again: its model call may
        have been paid. A pending one was never dispatched, so it is taken over while there is time.
        """
        refunded, to_run = await self._settle_abandoned()
        expired = await _or_later(self._expire_credits())
        await _or_later(self._forget_sessions())
        return Swept(refunded=refunded, expired=expired, to_run=to_run)

    async def tidy(self) -> Swept:
        """Erase what was deleted, and remove what failed generations left behind, one batch of each."""
        purged = await _or_later(self._purge())
        tidied = await _or_later(self._clear_up())
        return Swept(purged=purged, tidied=tidied)

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
                purging
                for deleted in trash
                # No blob may be stored after its row has gone.
                if deleted.untidy_since is None or deleted.untidy_since <= self._nothing_stored_since()
                if await tx.generations.replace(deleted, purging := deleted.being_purged())
            ]
        return sum([await self._erase(generation) for generation in condemned])

    async def _erase(self, generation: Generation) -> bool:
        """Blobs first, then the row: a crash between the two is finished by the next time."""
        if not await self._remove_all_but((), generation):
            return False
        async with self._store.begin() as tx:
            return await tx.generations.remove(generation)

    async def _clear_up(self) -> int:
        async with self._store.begin() as tx:
            untidy = await tx.generations.untidy(self._nothing_stored_since(), limit=self._limits.sweep_batch)
        return sum([await self._clear_up_after(generation) for generation in untidy])

    async def _clear_up_after(self, generation: Generation) -> bool:
        """Blobs first, then the mark: a crash between the two is finished by the next time."""
        if not await self._remove_all_but(generation.blob_keys, generation):
            return False
        async with self._store.begin() as tx:
            return await tx.generations.replace(generation, generation.tidied())

    def _nothing_stored_since(self) -> datetime:
        """What failed by then has nobody any more who could store something for it."""
        return self._clock() - self._limits.late_write

    async def _remove_all_but(self, kept: Collection[str], generation: Generation) -> bool:
        """Whether all the other blobs of the generation are gone."""
        try:
            for key in [key async for key in self._blobs.keys(generation.blob_prefix) if key not in kept]:
                await self._blobs.delete(key)
        except Exception:
            log.exception("generation %s: cannot remove its blobs now, the next sweep will", generation.id)
            return False
        return True


async def _or_later(job: Awaitable[int]) -> int:
    """How many a job has done. One that fails is left to the next sweep: whatever it is, what this one has taken
    over must be run."""
    try:
        return await job
    except Exception:
        log.exception("the sweep could not do all of its work, the next one will")
        return 0
