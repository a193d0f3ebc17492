"""Trash of the blob store, where removed orphaned blobs stay until they are erased for good."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from plushify_core.domain.generation import TRASH_ROOT, generation_id_of
from plushify_core.domain.limits import Limits
from plushify_core.ports import BlobMissing, BlobStore, Clock, Store


@dataclass(frozen=True, kw_only=True, eq=False)
class BlobTrash:
    """Blobs below `trash/`, in one folder for each day of removal."""

    store: Store
    blobs: BlobStore
    clock: Clock
    limits: Limits

    async def add(self, key: str) -> None:
        """Move a blob to the trash."""
        with suppress(BlobMissing):  # a concurrent removal was faster
            await self.blobs.move(key, f"{TRASH_ROOT}{self.clock():%Y-%m-%d}/{key}")

    async def empty(self) -> int:
        """Erase the blobs that were removed more than `Limits.blob_trash_days` ago, and return their number.

        A blob that a row names is kept, because it was removed while another database was in use.
        """
        erased, batch = 0, list[str]()
        last_day = (self.clock() - timedelta(days=self.limits.blob_trash_days)).strftime("%Y-%m-%d")
        async for entry in self.blobs.entries(TRASH_ROOT):
            if entry.key.removeprefix(TRASH_ROOT).partition("/")[0] < last_day:
                batch.append(entry.key)
            if len(batch) == self.limits.audit_batch:
                erased += await self._erase(batch)
                batch.clear()
        return erased + await self._erase(batch)

    async def _erase(self, trashed: Sequence[str]) -> int:
        """Erase the blobs with these keys in the trash that no row names. Return their number."""
        former = {key: key.removeprefix(TRASH_ROOT).partition("/")[2] for key in trashed}
        owners = {owner for key in former.values() if (owner := generation_id_of(key)) is not None}
        async with self.store.begin() as tx:
            named = {key for generation in await tx.audit.find([*owners]) for key in generation.blob_keys}
        erased = [key for key in trashed if former[key] not in named]
        for key in erased:
            await self.blobs.delete(key)
        return len(erased)
