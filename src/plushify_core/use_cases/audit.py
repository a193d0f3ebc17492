"""Audit: compares ledger, generations, model calls and blobs.

Everything is read in pages, so memory does not grow with the number of rows and blobs. The audit may run on a live
system, so it does not report what the system itself will put right: blobs that no row names, while their generation is
unfinished or ended recently, and generations that change while they are read.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property, partial
from uuid import UUID

import msgspec

from plushify_core.domain.generation import Generation, Status, time_of
from plushify_core.domain.limits import Limits
from plushify_core.domain.model_call import ModelCall, Outcome
from plushify_core.ports import BlobEntry, BlobStore, Clock, NewId, Store
from plushify_core.use_cases._blob_trash import BlobTrash
from plushify_core.use_cases._ledger_postings import LedgerPostings
from plushify_core.use_cases._unnamed_blobs import Folder, UnnamedBlobs


class Disagreement(StrEnum):
    """Kind of inconsistency."""

    BALANCE = "balance_differs_from_entries"
    ENTRIES = "entries_differ_from_generation"
    LEASE = "lease_over"
    CALL = "model_call_without_outcome"
    BLOB_MISSING = "blob_missing"
    BLOB_UNKNOWN = "blob_without_row"
    ROW_LOST = "row_lost"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One inconsistency. `subject` is a user id, a generation id or a blob key."""

    disagreement: Disagreement
    subject: str
    detail: str
    repaired: bool = False


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """Removal of orphaned blobs of at least the age `older_than`, and of no more than `at_most`."""

    older_than: timedelta
    at_most: int


class TooManyOrphans(Exception):
    """Error for a removal that would move more blobs than is plausible.

    Args:
        removable: number of orphaned blobs that would be removed.
        listed: number of all blobs.
        lost: number of generations whose row is lost.
    """

    def __init__(self, *, removable: int, listed: int, lost: int) -> None:
        super().__init__(f"{removable} of {listed} blobs would be removed, and {lost} rows are lost")
        self.removable = removable
        self.listed = listed
        self.lost = lost


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditUseCase:
    """Search for inconsistencies, and repair of those that are safe to repair, for `plushify doctor`."""

    store: Store
    blobs: BlobStore
    clock: Clock
    new_id: NewId
    limits: Limits

    async def findings(self, *, repair: bool = False, removal: Removal | None = None) -> AsyncIterator[Finding]:
        """Yield every inconsistency as it is found.

        Args:
            repair: repair the inconsistencies whose repair costs no user anything: set balances to the sum of their
                entries, post missing refunds, and close model calls without an outcome as interrupted. The others are
                only reported: the next sweep settles expired leases, and a person must decide about missing pictures,
                missing charges and lost rows. No blob is removed.
            removal: move orphaned blobs to the trash, as `plan_removal` has planned it. Blobs whose row is lost are
                never moved.
        """
        for find in (self._balances, self._generations, self._calls):
            async for finding in find(repair):
                yield finding
        async for finding in self._unnamed_blobs(removal):
            yield finding

    async def plan_removal(self, older_than: timedelta | None = None, *, any_number: bool = False) -> Removal:
        """Count the orphaned blobs, and return the removal that `findings` may perform.

        Args:
            older_than: age from which orphaned blobs are removed, by default `Limits.orphan_age_days`.
            any_number: allow the removal of any number of blobs, also if rows are lost.

        Raises:
            TooManyOrphans: more blobs would be removed than the limits allow, or rows are lost. Then the database
                probably does not belong to the blob store, or is older.
        """
        older_than = self.limits.orphan_age if older_than is None else older_than
        listed = removable = lost = 0
        async for folder in self._search.folders():
            listed += folder.listed
            lost += folder.lost is not None
            removable += sum(self._is_removable(folder, blob, older_than) for blob in folder.unnamed)
        if removable and not any_number and (lost or removable > self.limits.removable_orphans(listed)):
            raise TooManyOrphans(removable=removable, listed=listed, lost=lost)
        return Removal(older_than=older_than, at_most=removable)

    async def empty_trash(self) -> int:
        """Erase the orphaned blobs that were removed more than `Limits.blob_trash_days` ago, and return their number.

        A blob that a row names is kept, because it was removed while another database was in use.
        """
        return await self._trash.empty()

    async def _balances(self, repair: bool) -> AsyncIterator[Finding]:
        after: str | None = None
        while True:
            async with self.store.begin() as tx:
                found = await tx.audit.imbalances(after=after, limit=self.limits.audit_batch)
                repaired = [repair and imbalance.entries >= 0 for imbalance in found]
                for imbalance, recount in zip(found, repaired, strict=True):
                    if recount:
                        await tx.audit.recount(imbalance.user_id)
            for imbalance, recounted in zip(found, repaired, strict=True):
                yield Finding(
                    disagreement=Disagreement.BALANCE,
                    subject=imbalance.user_id,
                    detail=f"the balance is {imbalance.balance}, the entries add up to {imbalance.entries}",
                    repaired=recounted,
                )
            if len(found) < self.limits.audit_batch:
                return
            after = found[-1].user_id

    async def _generations(self, repair: bool) -> AsyncIterator[Finding]:
        after: UUID | None = None
        while True:
            async with self.store.begin() as tx:
                now = await tx.now()
                batch = await tx.audit.scan(after=after, limit=self.limits.audit_batch)
                sums = await tx.audit.entry_sums([generation.id for generation in batch])
            async for generation, missing in self._with_missing_blobs(batch):
                entries = sums.get(generation.id, 0)
                for findings in (self._entries(generation, entries, now, repair), self._images(generation, missing)):
                    async for finding in findings:
                        yield finding
            if len(batch) < self.limits.audit_batch:
                return
            after = batch[-1].id

    async def _entries(
        self, generation: Generation, entries: int, now: datetime, repair: bool
    ) -> AsyncIterator[Finding]:
        """Yield a finding if the lease expired long ago, and one if the sum of the entries is wrong."""
        if generation.lease_until is not None and generation.lease_until < self._settled_before(now):
            yield Finding(
                disagreement=Disagreement.LEASE,
                subject=str(generation.id),
                detail=f"it is {generation.status}, its lease expired at {generation.lease_until.isoformat()}",
            )
        expected = 0 if generation.status is Status.FAILED else -generation.credits_cost
        if entries == expected or await self._is_refunded_by_hand(generation) or await self._has_moved_on(generation):
            return
        unrefunded = generation.status is Status.FAILED and entries == -generation.credits_cost
        repaired = repair and unrefunded
        if repaired:
            await self._post_missing_refund(generation)
        yield Finding(
            disagreement=Disagreement.ENTRIES,
            subject=str(generation.id),
            detail=f"it is {generation.status}, and its entries add up to {entries} instead of {expected}",
            repaired=repaired,
        )

    async def _with_missing_blobs(self, batch: Sequence[Generation]) -> AsyncIterator[tuple[Generation, list[str]]]:
        """Yield each generation with the keys of its missing blobs."""
        concurrency = self.limits.audit_listings
        for start in range(0, len(batch), concurrency):
            chunk = batch[start : start + concurrency]
            missing = await asyncio.gather(*map(self._missing_blobs, chunk))
            for found in zip(chunk, missing, strict=True):
                yield found

    async def _missing_blobs(self, generation: Generation) -> list[str]:
        if not generation.finished or generation.purging:
            return []
        named = generation.blob_keys
        present = {key async for key in self.blobs.keys(generation.blob_prefix) if key in named}
        return [key for key in named if key not in present]

    async def _images(self, generation: Generation, missing: Sequence[str]) -> AsyncIterator[Finding]:
        if missing and not await self._has_moved_on(generation):
            for key in missing:
                yield Finding(disagreement=Disagreement.BLOB_MISSING, subject=key, detail="its row names it")

    async def _calls(self, repair: bool) -> AsyncIterator[Finding]:
        after: UUID | None = None
        while True:
            async with self.store.begin() as tx:
                now = await tx.now()
                batch = await tx.audit.open_calls(
                    self._settled_before(now) - self.limits.timeout, after=after, limit=self.limits.audit_batch
                )
                generations = await tx.audit.find([call.generation_id for call in batch])
                running = {generation.id for generation in generations if not generation.finished}
                stray = [call for call in batch if call.generation_id not in running]
                interrupt = partial(ModelCall.end, outcome=Outcome.INTERRUPTED, at=now)
                if repair:
                    for call in stray:
                        await tx.model_calls.update(call.generation_id, interrupt)
            for call in stray:
                yield Finding(
                    disagreement=Disagreement.CALL,
                    subject=str(call.generation_id),
                    detail=f"{call.model_asked} was called at {call.started_at.isoformat()}",
                    repaired=repair,
                )
            if len(batch) < self.limits.audit_batch:
                return
            after = batch[-1].generation_id

    async def _unnamed_blobs(self, removal: Removal | None) -> AsyncIterator[Finding]:
        left = removal.at_most if removal else 0
        async for folder in self._search.folders():
            if folder.lost is not None:
                yield Finding(disagreement=Disagreement.ROW_LOST, subject=str(folder.owner), detail=folder.lost)
                continue
            row = folder.row
            for blob in folder.unnamed:
                removed = removal is not None and left > 0 and self._is_removable(folder, blob, removal.older_than)
                if removed:
                    left -= 1
                    await self._trash.add(blob.key)
                yield Finding(
                    disagreement=Disagreement.BLOB_UNKNOWN,
                    subject=blob.key,
                    detail="no row has its id" if row is None else f"its row is {row.status} and does not name it",
                    repaired=removed,
                )

    def _is_removable(self, folder: Folder, blob: BlobEntry, older_than: timedelta) -> bool:
        """Return whether this unnamed blob is orphaned and old enough. A blob of unknown age is never removable."""
        if folder.owner is None or folder.lost is not None:
            return False
        times = [time for time in (blob.modified_at, time_of(folder.owner)) if time is not None]
        return bool(times) and max(times) <= self.clock() - older_than

    def _settled_before(self, now: datetime) -> datetime:
        """Return the time before which an expired lease or an ended generation should have been settled."""
        return now - self.limits.settle_timeout

    async def _is_refunded_by_hand(self, generation: Generation) -> bool:
        """Return whether an operator has refunded a delivered picture."""
        if generation.status is not Status.SUCCEEDED:
            return False
        async with self.store.begin() as tx:
            entries = await tx.credits.entries_of(generation.id)
        by_hand = any(entry.is_refund_by_hand for entry in entries)
        return by_hand and sorted(entry.amount for entry in entries) == [
            -generation.credits_cost,
            generation.credits_cost,
        ]

    async def _has_moved_on(self, generation: Generation) -> bool:
        """Return whether the generation has changed since it was read. Then it may be consistent."""
        async with self.store.begin() as tx:
            current = await tx.generations.get(generation.id)
        return current != generation

    async def _post_missing_refund(self, generation: Generation) -> None:
        async with self.store.begin() as tx:
            await self._postings.refund(tx, generation, reason="audit: failed and not refunded")

    @cached_property
    def _search(self) -> UnnamedBlobs:
        return UnnamedBlobs(store=self.store, blobs=self.blobs, limits=self.limits)

    @cached_property
    def _trash(self) -> BlobTrash:
        return BlobTrash(store=self.store, blobs=self.blobs, clock=self.clock, limits=self.limits)

    @cached_property
    def _postings(self) -> LedgerPostings:
        return LedgerPostings(new_id=self.new_id, limits=self.limits)
