"""Recovery: settles what a dead process left unfinished, and purges deleted generations.

Any process may run it at any time, and several processes concurrently: each step is a compare-and-set.
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

import msgspec

from plushify_core.domain.errors import Reason
from plushify_core.domain.generation import Failure, Generation, Status
from plushify_core.domain.limits import Limits
from plushify_core.domain.model_call import Outcome
from plushify_core.ports import BalanceChanged, BlobStore, Events, NewId, Store, Transaction, changes_of
from plushify_core.use_cases._blob_removal import remove_all_except
from plushify_core.use_cases._ledger_postings import LedgerPostings
from plushify_core.use_cases._outcomes import OutcomeRecorder

log = logging.getLogger(__name__)


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a sweep.

    Args:
        refunded: number of interrupted generations that were failed and refunded.
        expired: number of users whose expired credits were removed.
        purged: number of deleted generations that were purged.
        tidied: number of failed generations whose orphaned blobs were removed.
        to_run: ids of the reclaimed generations. The caller runs them with `GenerateUseCase.run`.
    """

    refunded: int = 0
    expired: int = 0
    purged: int = 0
    tidied: int = 0
    to_run: tuple[UUID, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class RecoverUseCase:
    """Periodic jobs of every replica.

    `sweep_leases` needs only the database and `sweep_blobs` needs the blob store too. They are separate so that a blob
    store that hangs delays no refund.
    """

    store: Store
    blobs: BlobStore
    events: Events
    new_id: NewId
    limits: Limits

    async def check_store(self) -> None:
        """Raise an error if the database is unavailable."""
        async with self.store.begin() as tx:
            await tx.now()

    async def sweep(self, *, reclaim: bool = True) -> Swept:
        """Run `sweep_leases`, then `sweep_blobs`, and return the combined result."""
        leases, blobs = await self.sweep_leases(reclaim=reclaim), await self.sweep_blobs()
        return msgspec.structs.replace(leases, purged=blobs.purged, tidied=blobs.tidied)

    async def sweep_leases(self, *, reclaim: bool = True) -> Swept:
        """Handle one batch of generations whose lease has expired, and one batch of expired credits.

        A running generation is failed and refunded. It is never dispatched again, because its model call may have been
        paid. A pending generation was never dispatched, so it is reclaimed if there is time left until its deadline.

        Args:
            reclaim: whether the caller runs reclaimed generations. If not, they are left to another process, and
                refunded after their deadline.
        """
        refunded, to_run = await self._handle_expired_leases(reclaim=reclaim)
        expired = await _log_failure(self._expire_credits())
        return Swept(refunded=refunded, expired=expired, to_run=to_run)

    async def sweep_blobs(self) -> Swept:
        """Purge one batch of deleted generations, and remove the orphaned blobs of one batch of failed ones."""
        purged = await _log_failure(self._purge_trash())
        tidied = await _log_failure(self._tidy_failures())
        return Swept(purged=purged, tidied=tidied)

    async def _handle_expired_leases(self, *, reclaim: bool) -> tuple[int, tuple[UUID, ...]]:
        failed: list[tuple[Generation, Generation]] = []
        to_run: list[UUID] = []
        async with self.store.begin() as tx:
            now = await tx.now()
            batch = await tx.generations.abandoned(now, limit=self.limits.sweep_batch)
            # Sorted by user, so that concurrent sweeps lock subscriptions in the same order and cannot deadlock.
            for abandoned in sorted(batch, key=lambda generation: generation.user_id):
                if abandoned.status is Status.PENDING and now < abandoned.deadline_at:
                    if not reclaim:
                        continue
                    reclaimed = abandoned.reclaim(self._reclaimed_until(abandoned, now))
                    if await tx.generations.replace(abandoned, reclaimed):
                        to_run.append(abandoned.id)
                elif (interrupted := await self._interrupt(tx, abandoned)) is not None:
                    failed.append((abandoned, interrupted))
        for abandoned, interrupted in failed:
            log.warning("generation %s was abandoned while %s: refunded", abandoned.id, abandoned.status)
            await self.events.publish(*changes_of(interrupted))
        return len(failed), tuple(to_run)

    def _reclaimed_until(self, abandoned: Generation, now: datetime) -> datetime:
        """Return the end of the lease of the process that reclaims a pending generation.

        A lease that would outlast the deadline ends `lease_s` after it. So the process has time to refund the
        generation itself, if it got no slot until then.
        """
        lease_until = now + self.limits.pending_lease
        return lease_until if lease_until < abandoned.deadline_at else abandoned.deadline_at + self.limits.lease

    async def _interrupt(self, tx: Transaction, abandoned: Generation) -> Generation | None:
        return await self._outcomes.fail(
            tx,
            abandoned,
            Failure.of(Reason.INTERRUPTED),
            outcome=Outcome.INTERRUPTED,
            # The photo of a pending generation may not have been stored, so its row names no original afterwards.
            original_stored=abandoned.status is Status.RUNNING,
        )

    async def _expire_credits(self) -> int:
        async with self.store.begin() as tx:
            due = await tx.credits.expiring(await tx.now(), limit=self.limits.sweep_batch)
            for user_id in sorted(subscription.user_id for subscription in due):
                await self._postings.expire(tx, user_id)
        for subscription in due:
            await self.events.publish(BalanceChanged(user_id=subscription.user_id))
        return len(due)

    async def _purge_trash(self) -> int:
        async with self.store.begin() as tx:
            now = await tx.now()
            deleted_before = now - self.limits.undo_window
            late_writes_end_before = now - self.limits.late_write
            trash = await tx.generations.expired_trash(deleted_before, limit=self.limits.sweep_batch)
            purging = [
                begun
                for deleted in trash
                # Keep the row of a failure as long as a process may store a blob for it.
                if deleted.untidy_since is None or deleted.untidy_since <= late_writes_end_before
                if await tx.generations.replace(deleted, begun := deleted.begin_purge())
            ]
        return sum([await self._purge(generation) for generation in purging])

    async def _purge(self, generation: Generation) -> bool:
        """Delete the blobs, then the row. If the process dies in between, the next sweep continues."""
        if not await remove_all_except((), self.blobs, generation):
            return False
        async with self.store.begin() as tx:
            return await tx.generations.remove(generation)

    async def _tidy_failures(self) -> int:
        async with self.store.begin() as tx:
            # No process can store a blob any more for a failure that is older.
            late_writes_end_before = await tx.now() - self.limits.late_write
            untidy = await tx.generations.untidy(late_writes_end_before, limit=self.limits.sweep_batch)
        return sum([await self._tidy(generation) for generation in untidy])

    async def _tidy(self, generation: Generation) -> bool:
        """Delete the orphaned blobs, then clear the mark. If the process dies in between, the next sweep continues."""
        if not await remove_all_except(generation.blob_keys, self.blobs, generation):
            return False
        async with self.store.begin() as tx:
            return await tx.generations.replace(generation, generation.tidy())

    @cached_property
    def _outcomes(self) -> OutcomeRecorder:
        return OutcomeRecorder(postings=self._postings)

    @cached_property
    def _postings(self) -> LedgerPostings:
        return LedgerPostings(new_id=self.new_id, limits=self.limits)


async def _log_failure(job: Awaitable[int]) -> int:
    """Return the result of `job`. If it fails, log the error and return 0, so that the rest of the sweep goes on."""
    try:
        return await job
    except Exception:
        log.exception("a part of the sweep failed, the next sweep tries again")
        return 0
