"""Preflight checks of the image model and the storage, before any user waits for a picture."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from plushify_core.domain.generation import blob_prefix
from plushify_core.ports import BlobStore, ImageModel, Level, NewId, Notice, SelfCheck
from plushify_core.worker.time_limits import cancel_within, run_within

log = logging.getLogger(__name__)

PROBE = b"Plushify was here."

STORAGE_TIMEOUT_S = 30.0
"""Time limit of the check of the storage, in seconds."""

CANCELLATION_TIMEOUT_S = 1.0
"""Longest time that a shutdown waits for the cancelled check of the model, in seconds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Preflight:
    """Checks of the image model and the storage."""

    model: ImageModel
    blobs: BlobStore
    new_id: NewId

    async def check_model(self) -> Sequence[Notice]:
        """Return the notices of the self-check of the model. Without one, only a preview model gives a notice."""
        if isinstance(self.model, SelfCheck):
            return await self.model.self_check()
        capabilities = await self.model.capabilities()
        detail = f"{capabilities.title} draws: a preview, which needs no key and no network."
        return [Notice(level=Level.OK, subject="model", detail=detail)] if capabilities.preview else []

    async def check_storage(self) -> Notice:
        """Write, read and delete a blob, and return whether this works.

        If the process dies in between, the audit finds and removes the blob, because no row names it.
        """
        key = f"{blob_prefix(self.new_id())}probe"
        try:
            read = await run_within(STORAGE_TIMEOUT_S, self._write_read_delete(key))
        except Exception as error:
            detail = f"A blob could not be written, read and deleted: {type(error).__name__}: {error}."
            return Notice(level=Level.ERROR, subject="storage", detail=detail)
        if read != PROBE:
            return Notice(level=Level.ERROR, subject="storage", detail="A blob was read that is not what was written.")
        return Notice(level=Level.OK, subject="storage", detail="A blob was written, read and deleted.")

    async def _write_read_delete(self, key: str) -> bytes:
        try:
            await self.blobs.put(key, PROBE, media_type="text/plain")
            return b"".join([chunk async for chunk in self.blobs.read(key)])
        finally:
            await self.blobs.delete(key)

    @asynccontextmanager
    async def logged(self) -> AsyncIterator[None]:
        """Check the image model once, concurrently with the `async with` block, and log the problems found.

        A check that is slow or fails neither delays the block nor raises in it.
        """
        checking = asyncio.create_task(self._log_notices())
        try:
            yield
        finally:
            await cancel_within(CANCELLATION_TIMEOUT_S, [checking])

    async def _log_notices(self) -> None:
        try:
            for notice in await self.check_model():
                if notice.level is not Level.OK:
                    log.warning("%s: %s", notice.subject, notice.detail)
        except Exception:
            log.exception("the model could not be checked")
