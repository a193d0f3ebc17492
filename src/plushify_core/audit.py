"""Comparing the books with the rows, and the rows with the blobs.

Everything is read in pages, so a million rows and blobs need no more memory than a page of them. What a live
system is just about to put right is no finding: unfinished generations may hold blobs that no row names yet, and
what ended a moment ago is left alone.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from plushify_core.bookkeeping import Bookkeeping
from plushify_core.generation import BLOBS, Generation, Status, generation_of
from plushify_core.ledger import EntryKind
from plushify_core.limits import Limits
from plushify_core.model_call import Outcome
from plushify_core.ports import BlobStore, Clock, NewId, Store


class Disagreement(StrEnum):
    """What can be wrong."""

    BALANCE = "balance_differs_from_entries"
    ENTRIES = "entries_differ_from_generation"
    LEASE = "lease_over"
    CALL = "model_call_without_outcome"
    BLOB_MISSING = "blob_missing"
    BLOB_UNKNOWN = "blob_without_row"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that disagrees with another. `subject` is a user id, a generation id or a blob key; `repaired`
    tells whether it has been mended."""

    disagreement: Disagreement
    subject: str
    detail: str
    repaired: bool = False


class AuditUseCase:
    """The checks behind `plushify doctor`."""

    def __init__(self, *, store: Store, blobs: BlobStore, clock: Clock, new_id: NewId, limits: Limits) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._limits = limits
        self._books = Bookkeeping(clock=clock, new_id=new_id, limits=limits)

    async def findings(self, *, repair: bool = False) -> AsyncIterator[Finding]:
        """Everything that disagrees, as it is found.

        Args:
            repair: mend what can be mended without taking anything from anybody: balances follow their
                entries, failed generations get their missing refund, calls whose end nobody knows are closed as
                interrupted, blobs that belong to no row are removed. Leases are mended by the sweep; a picture
                that is gone, or a price that was never taken, is for a person to decide.
        """
        for check in (self._balances, self._generations, self._calls, self._unknown_blobs):
            async for finding in check(repair):
                yield finding

    async def _balances(self, repair: bool) -> AsyncIterator[Finding]:
        after: str | None = None
        while True:
            async with self._store.begin() as tx:
                found = await tx.audit.imbalances(after=after, limit=self._limits.audit_batch)
                mended = [repair and imbalance.entries >= 0 for imbalance in found]
                for imbalance, mend in zip(found, mended, strict=True):
                    if mend:
                        await tx.audit.recount(imbalance.user_id)
            for imbalance, mend in zip(found, mended, strict=True):
                yield Finding(
                    disagreement=Disagreement.BALANCE,
                    subject=imbalance.user_id,
                    detail=f"the balance is {imbalance.balance}, the entries add up to {imbalance.entries}",
                    repaired=mend,
                )
            if len(found) < self._limits.audit_batch:
                return
            after = found[-1].user_id

    async def _generations(self, repair: bool) -> AsyncIterator[Finding]:
        after: UUID | None = None
        while True:
            async with self._store.begin() as tx:
                batch = await tx.audit.scan(after=after, limit=self._limits.audit_batch)
                sums = await tx.audit.entry_sums([generation.id for generation in batch])
            async for generation, missing in self._with_missing_blobs(batch):
                entries = sums.get(generation.id, 0)
                for check in (self._entries(generation, entries, repair), self._images(generation, missing)):
                    async for finding in check:
                        yield finding
            if len(batch) < self._limits.audit_batch:
                return
            after = batch[-1].id

    async def _entries(self, generation: Generation, entries: int, repair: bool) -> AsyncIterator[Finding]:
        if generation.lease_until is not None and generation.lease_until < self._settled_before():
            yield Finding(
                disagreement=Disagreement.LEASE,
                subject=str(generation.id),
                detail=f"it is {generation.status}, its lease was over at {generation.lease_until.isoformat()}",
            )
        expected = 0 if generation.status is Status.FAILED else -generation.credits_cost
        if entries == expected or await self._has_moved_on(generation):
            return
        unrefunded = generation.status is Status.FAILED and entries == -generation.credits_cost
        if mend := repair and unrefunded:
            await self._refund(generation)
        yield Finding(
            disagreement=Disagreement.ENTRIES,
            subject=str(generation.id),
            detail=f"it is {generation.status}, and its entries add up to {entries} instead of {expected}",
            repaired=mend,
        )

    async def _with_missing_blobs(self, batch: Sequence[Generation]) -> AsyncIterator[tuple[Generation, list[str]]]:
        """Each with the keys that it names and the blob store does not have."""
        at_once = self._limits.audit_listings
        for start in range(0, len(batch), at_once):
            together = batch[start : start + at_once]
            missing = await asyncio.gather(*map(self._missing_blobs, together))
            for found in zip(together, missing, strict=True):
                yield found

    async def _missing_blobs(self, generation: Generation) -> list[str]:
        if not generation.finished or generation.purging:
            return []
        named = generation.blob_keys
        present = {key async for key in self._blobs.keys(generation.blob_prefix) if key in named}
        return [key for key in named if key not in present]

    async def _images(self, generation: Generation, missing: Sequence[str]) -> AsyncIterator[Finding]:
        if missing and not await self._has_moved_on(generation):
            for key in missing:
                yield Finding(disagreement=Disagreement.BLOB_MISSING, subject=key, detail="its row names it")

    async def _calls(self, repair: bool) -> AsyncIterator[Finding]:
        after: UUID | None = None
        while True:
            async with self._store.begin() as tx:
                batch = await tx.audit.open_calls(
                    self._settled_before() - self._limits.timeout, after=after, limit=self._limits.audit_batch
                )
                generations = await tx.audit.find([call.generation_id for call in batch])
                running = {generation.id for generation in generations if not generation.finished}
                stray = [call for call in batch if call.generation_id not in running]
                if repair:
                    for call in stray:
                        await tx.model_calls.replace(call.ended(Outcome.INTERRUPTED, at=self._clock()))
            for call in stray:
                yield Finding(
                    disagreement=Disagreement.CALL,
                    subject=str(call.generation_id),
                    detail=f"{call.model_asked} was called at {call.started_at.isoformat()}",
                    repaired=repair,
                )
            if len(batch) < self._limits.audit_batch:
                return
            after = batch[-1].generation_id

    async def _unknown_blobs(self, repair: bool) -> AsyncIterator[Finding]:
        batch: list[str] = []
        async for key in self._blobs.keys(BLOBS):
            batch.append(key)
            if len(batch) == self._limits.audit_batch:
                async for finding in self._unknown_among(batch, repair):
                    yield finding
                batch.clear()
        async for finding in self._unknown_among(batch, repair):
            yield finding

    async def _unknown_among(self, keys: Sequence[str], repair: bool) -> AsyncIterator[Finding]:
        """Rows are committed before their blobs are stored: what has no row after it was listed has none."""
        owners = {key: generation_of(key) for key in keys}
        async with self._store.begin() as tx:
            found = await tx.audit.find([owner for owner in {*owners.values()} if owner is not None])
        rows = {generation.id: generation for generation in found}
        for key, owner in owners.items():
            row = rows.get(owner) if owner is not None else None
            if row is not None and (key in row.blob_keys or not self._is_settled(row)):
                continue
            if mend := repair and owner is not None:
                await self._blobs.delete(key)
            yield Finding(
                disagreement=Disagreement.BLOB_UNKNOWN,
                subject=key,
                detail="no row has its id" if row is None else f"its row is {row.status} and does not name it",
                repaired=mend,
            )

    def _settled_before(self) -> datetime:
        return self._clock() - self._limits.lease_margin

    def _is_settled(self, generation: Generation) -> bool:
        """Whether nobody is about to store or to remove anything of it."""
        if generation.completed_at is None or generation.purging:
            return False
        settled_before = self._settled_before()
        if generation.untidy_since is not None:
            settled_before -= self._limits.late_write  # only then does a sweep look
        return generation.completed_at < settled_before

    async def _has_moved_on(self, generation: Generation) -> bool:
        """Whether it has changed since it was read: then what disagreed may have been its way."""
        async with self._store.begin() as tx:
            current = await tx.generations.get(generation.id)
        return current != generation

    async def _refund(self, generation: Generation) -> None:
        async with self._store.begin() as tx:
            await self._books.post(
                tx,
                generation.user_id,
                EntryKind.REFUND,
                generation.credits_cost,
                reason="audit: failed and not refunded",
                generation=generation,
            )
