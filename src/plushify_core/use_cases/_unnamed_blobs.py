"""Search for blobs that no row names, which tells orphaned blobs from blobs whose row is lost.

The row of a generation and its `consume` entry are committed before its first blob is stored, and the entry is kept
when the row is removed. So a picture without an entry belongs to a generation that this database has never had, or has
lost: the database is a restored backup, or another one.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from plushify_core.domain.generation import BLOB_ROOT, Generation, Rendition, blob_key, generation_id_of, time_of
from plushify_core.domain.generation import blob_prefix as prefix_of
from plushify_core.domain.limits import Limits
from plushify_core.domain.model_call import Outcome
from plushify_core.ports import BlobEntry, BlobStore, Store, Transaction


@dataclass(frozen=True, kw_only=True, eq=False)
class Folder:
    """Blobs of one generation.

    Args:
        owner: id of the generation; None if the keys do not contain one.
        listed: number of its blobs.
        row: its row, if there is one.
        unnamed: blobs that the row does not name and that no process will remove soon.
        lost: reason to believe that the row is lost; None if it is not.
    """

    owner: UUID | None
    listed: int
    row: Generation | None = None
    unnamed: Sequence[BlobEntry] = ()
    lost: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class UnnamedBlobs:
    """Search of the whole blob store, in pages."""

    store: Store
    blobs: BlobStore
    limits: Limits

    async def folders(self) -> AsyncIterator[Folder]:
        """Yield the blobs of each generation. Blobs of unfinished generations are never unnamed."""
        batch: list[BlobEntry] = []
        async for entry in self.blobs.entries(BLOB_ROOT):
            if len(batch) >= self.limits.audit_batch and _folder(entry) != _folder(batch[-1]):
                async for folder in self._examine(batch):
                    yield folder
                batch.clear()
            batch.append(entry)
        async for folder in self._examine(batch):
            yield folder

    async def _examine(self, entries: Sequence[BlobEntry]) -> AsyncIterator[Folder]:
        """Yield the folders of these blobs.

        A row is committed before its blobs are stored, so the row of a listed blob is visible here.
        """
        by_folder: dict[str, list[BlobEntry]] = {}
        for entry in entries:
            by_folder.setdefault(_folder(entry), []).append(entry)
        groups = list(by_folder.values())
        owners = [_owner_of(group[0].key) for group in groups]
        async with self.store.begin() as tx:
            now = await tx.now()
            found = await tx.audit.find([owner for owner in {*owners} if owner is not None])
        rows = {generation.id: generation for generation in found}
        for owner, group in zip(owners, groups, strict=True):
            row = None if owner is None else rows.get(owner)
            if owner is None:
                yield Folder(owner=None, listed=len(group), unnamed=group)
            elif row is None:
                yield await self._without_row(owner, len(group))
            else:
                settled = is_settled(row, now, self.limits)
                unnamed = [entry for entry in group if settled and entry.key not in row.blob_keys]
                yield Folder(owner=owner, listed=len(group), row=row, unnamed=unnamed)

    async def _without_row(self, owner: UUID, listed: int) -> Folder:
        """Return the folder of a generation without a row."""
        # A purge deletes the blobs, then the row. Listing again excludes blobs that it has deleted meanwhile.
        entries = [entry async for entry in self.blobs.entries(prefix_of(owner))]
        keys = {entry.key for entry in entries}
        stored = [rendition for rendition in Rendition if blob_key(owner, rendition) in keys]
        lost = None
        if stored:
            async with self.store.begin() as tx:
                lost = await self._why_lost(tx, owner, stored)
        return Folder(owner=owner, listed=listed, unnamed=entries, lost=lost)

    async def _why_lost(self, tx: Transaction, owner: UUID, stored: Sequence[Rendition]) -> str | None:
        entries = (await tx.audit.entry_sums([owner])).get(owner)
        if entries is not None and len(stored) < len(Rendition):
            if entries == 0:
                return None  # it failed and was erased
            call = await tx.model_calls.get(owner)
            if call is not None and call.outcome is Outcome.SUCCEEDED:
                return None  # it was erased, and a write of one of its blobs was repeated later
        made, newest = time_of(owner), await tx.audit.newest()
        facts = [f"its row is missing and its {_and(stored)} stored"]
        if made is not None:
            facts.append(f"it was submitted at {made.isoformat(timespec='seconds')}")
        if entries is not None:
            facts.append("the ledger has entries of it" if entries == 0 else "it was charged and not refunded")
        elif newest is None or owner > newest:
            facts.append("after every row, so the database looks older than the storage: a restored backup?")
        else:
            facts.append("the ledger does not know it: the database is a restored backup, or another one?")
        return ", ".join(facts)


def is_settled(generation: Generation, now: datetime, limits: Limits) -> bool:
    """Return whether all processes have finished storing and removing blobs of this generation."""
    if generation.completed_at is None or generation.purging:
        return False
    settled_before = now - limits.settle_timeout
    if generation.untidy_since is not None:
        settled_before -= limits.late_write  # the sweep removes its orphaned blobs only after this time
    return generation.completed_at < settled_before


def _owner_of(key: str) -> UUID | None:
    """Return the id of the generation that may have stored this blob; None if its key has another form."""
    owner = generation_id_of(key)
    return owner if owner is not None and key.startswith(prefix_of(owner)) else None


def _folder(entry: BlobEntry) -> str:
    return entry.key.removeprefix(BLOB_ROOT).partition("/")[0]


def _and(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last} are" if first else f"{last} is"
