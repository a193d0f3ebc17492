"""Audit: compares ledger, generations, model calls and blobs.

Everything is read in pages, so memory does not grow with the number of rows and blobs. The audit may run on a live
system, so it skips what the system itself will settle soon: unfinished and recently ended generations, and their blobs.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from uuid import UUID

import msgspec

from plushify_core.domain.generation import BLOB_ROOT, Generation, Status, generation_id_of
from plushify_core.domain.limits import Limits
from plushify_core.domain.model_call import Outcome
from plushify_core.ports import BlobStore, NewId, Store
from plushify_core.use_cases._ledger_postings import LedgerPostings


class Disagreement(StrEnum):
    """Kind of inconsistency."""

    BALANCE = "balance_differs_from_entries"
    ENTRIES = "entries_differ_from_generation"
    LEASE = "lease_over"
    CALL = "model_call_without_outcome"
    BLOB_MISSING = "blob_missing"
    BLOB_UNKNOWN = "blob_without_row"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One inconsistency. `subject` is a user id, a generation id or a blob key."""

    disagreement: Disagreement
    subject: str
    detail: str
    repaired: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditUseCase:
    """Finds and repairs inconsistencies, for `plushify doctor`."""

    store: Store
    blobs: BlobStore
    new_id: NewId
    limits: Limits

    async def findings(self, *, repair: bool = False) -> AsyncIterator[Finding]:
        """Yield every inconsistency as it is found.

        Args:
            repair: repair the inconsistencies whose repair costs no user anything: set balances to the sum of their
                entries, post missing refunds, close model calls without an outcome as interrupted, and remove blobs
                without a row. The others are only reported: the next sweep settles expired leases, and a person must
                decide about missing pictures and missing charges.
        """
        for find in (self._balances, self._generations, self._calls, self._unknown_blobs):
            async for finding in find(repair):
                yield finding

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
        if entries == expected or await self._has_moved_on(generation):
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
                if repair:
                    for call in stray:
                        await tx.model_calls.replace(call.end(Outcome.INTERRUPTED, at=now))
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

    async def _unknown_blobs(self, repair: bool) -> AsyncIterator[Finding]:
        batch: list[str] = []
        async for key in self.blobs.keys(BLOB_ROOT):
            batch.append(key)
            if len(batch) == self.limits.audit_batch:
                async for finding in self._unknown_among(batch, repair):
                    yield finding
                batch.clear()
        async for finding in self._unknown_among(batch, repair):
            yield finding

    async def _unknown_among(self, keys: Sequence[str], repair: bool) -> AsyncIterator[Finding]:
        """Yield a finding for each listed blob that no row names.

        A row is committed before its blobs are stored, so the row of a listed blob is visible here.
        """
        owners = {key: generation_id_of(key) for key in keys}
        async with self.store.begin() as tx:
            now = await tx.now()
            found = await tx.audit.find([owner for owner in {*owners.values()} if owner is not None])
        rows = {generation.id: generation for generation in found}
        for key, owner in owners.items():
            row = rows.get(owner) if owner is not None else None
            if row is not None and (key in row.blob_keys or not self._is_settled(row, now)):
                continue
            repaired = repair and owner is not None
            if repaired:
                await self.blobs.delete(key)
            yield Finding(
                disagreement=Disagreement.BLOB_UNKNOWN,
                subject=key,
                detail="no row has its id" if row is None else f"its row is {row.status} and does not name it",
                repaired=repaired,
            )

    def _settled_before(self, now: datetime) -> datetime:
        """Return the time such that leases and generations that ended before it should be settled."""
        return now - self.limits.settle_timeout

    def _is_settled(self, generation: Generation, now: datetime) -> bool:
        """Return whether all processes have finished storing and removing blobs of this generation."""
        if generation.completed_at is None or generation.purging:
            return False
        settled_before = self._settled_before(now)
        if generation.untidy_since is not None:
            settled_before -= self.limits.late_write  # the sweep removes its orphaned blobs only after this time
        return generation.completed_at < settled_before

    async def _has_moved_on(self, generation: Generation) -> bool:
        """Return whether the generation has changed since it was read. Then it may be consistent."""
        async with self.store.begin() as tx:
            current = await tx.generations.get(generation.id)
        return current != generation

    async def _post_missing_refund(self, generation: Generation) -> None:
        async with self.store.begin() as tx:
            await self._postings.refund(tx, generation, reason="audit: failed and not refunded")

    @cached_property
    def _postings(self) -> LedgerPostings:
        return LedgerPostings(new_id=self.new_id, limits=self.limits)
