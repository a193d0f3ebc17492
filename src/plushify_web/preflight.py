"""Preflight checks of the image model and the storage, before any user waits for a picture."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from plushify_core import InstallationUseCase, WrongStorage
from plushify_core.domain.generation import INSTALLATION_KEY, blob_prefix
from plushify_core.ports import BlobStore, ImageModel, Level, NewId, Notice, SelfCheck
from plushify_core.worker.time_limits import cancel_within, run_within

log = logging.getLogger(__name__)

PROBE = b"Plushify was here."

STORAGE_TIMEOUT_S = 30.0
"""Time limit of the check of the storage, in seconds."""

CANCELLATION_TIMEOUT_S = 1.0
"""Longest time that a shutdown waits for the cancelled check of the model, in seconds."""

INSTALLATION_TIMEOUT_S = 10.0
"""Longest time that a start waits for the storage to return the id of its installation, in seconds."""


async def check_installation(installation: InstallationUseCase, *, record: bool = True) -> None:
    """Check that the database and the storage belong together. If this takes too long or fails, log a warning.

    Args:
        installation: the database and the storage.
        record: whether to record the id of a new installation.

    Raises:
        WrongStorage: they belong to different installations.
    """
    try:
        await run_within(INSTALLATION_TIMEOUT_S, installation.verify(record=record))
    except WrongStorage:
        raise
    except Exception as error:
        log.warning("cannot check that database and storage belong together: %s: %s", type(error).__name__, error)


def wrong_storage_message(error: WrongStorage) -> str:
    """Return a message that tells the operator how the database and the storage differ, and what to do."""
    adopt = "run `plushify doctor --adopt-storage`"
    match error.database, error.storage:
        case None, None:
            return (
                f"The storage has a blob `{INSTALLATION_KEY}` that does not contain the id of an installation. Point "
                "PLUSHIFY_STORAGE_URL to another place, or remove that blob if it is damaged."
            )
        case database, None:
            return (
                f"The storage does not have the mark of this installation ({database}): it is another storage, or its "
                f"blob `{INSTALLATION_KEY}` is lost. Point PLUSHIFY_STORAGE_URL to the storage of this database. If it "
                f"is the right one, {adopt}."
            )
        case None, storage:
            return (
                f"The storage belongs to an installation ({storage}) that this database does not know: the database is "
                "new, or a backup of an older version. Point PLUSHIFY_DATABASE_URL to the database of this storage, or "
                f"PLUSHIFY_STORAGE_URL to an empty place. If this database shall own the pictures there, {adopt}."
            )
        case database, storage:
            return (
                f"The storage belongs to another installation ({storage}) than the database ({database}). Point "
                "PLUSHIFY_DATABASE_URL and PLUSHIFY_STORAGE_URL to the same installation. If this database shall own "
                f"the pictures in this storage, {adopt}."
            )
    raise AssertionError("all cases are covered")


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

        If the process dies in between, the audit reports the blob as orphaned, because no row names it.
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
