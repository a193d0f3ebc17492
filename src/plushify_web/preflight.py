"""What would stand in the way of pictures, found out before anybody waits for one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from plushify_core.generation import blob_prefix
from plushify_core.ports import BlobStore, ImageModel, NewId

log = logging.getLogger(__name__)

PROBE = b"Plushify was here."


class Level(StrEnum):
    """How grave it is. With an `ERROR` no picture can be made; a `WARNING` is for soon."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried."""

    level: Level
    subject: str
    detail: str


class _Said(Protocol):
    """What a model says of itself."""

    @property
    def level(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def detail(self) -> str: ...


@runtime_checkable
class _SelfChecking(Protocol):
    """A model that can tell what stands in its way."""

    async def check(self) -> Sequence[_Said]: ...


class Preflight:
    """Tries out the model and the storage."""

    def __init__(self, *, model: ImageModel, blobs: BlobStore, new_id: NewId) -> None:
        self._model = model
        self._blobs = blobs
        self._new_id = new_id

    async def model(self) -> list[Notice]:
        """What the model's own check says; nothing, if it has none and is no preview."""
        if isinstance(self._model, _SelfChecking):
            said = await self._model.check()
            return [Notice(level=Level(one.level), subject=one.subject, detail=one.detail) for one in said]
        capabilities = await self._model.capabilities()
        detail = f"{capabilities.title} draws: a preview, which needs no key and no network."
        return [Notice(level=Level.OK, subject="model", detail=detail)] if capabilities.preview else []

    async def storage(self) -> Notice:
        """Whether a blob can be written, read and deleted. Should this process die in between, the blob that it
        leaves is found and removed by the audit, as it belongs to no generation."""
        key = f"{blob_prefix(self._new_id())}probe"
        try:
            try:
                await self._blobs.put(key, PROBE, media_type="text/plain")
                read = b"".join([chunk async for chunk in self._blobs.read(key)])
            finally:
                await self._blobs.delete(key)
        except Exception as error:
            detail = f"A blob could not be written, read and deleted: {type(error).__name__}: {error}."
            return Notice(level=Level.ERROR, subject="storage", detail=detail)
        if read != PROBE:
            return Notice(level=Level.ERROR, subject="storage", detail="A blob was read that is not what was written.")
        return Notice(level=Level.OK, subject="storage", detail="A blob was written, read and deleted.")

    @asynccontextmanager
    async def logged(self) -> AsyncIterator[None]:
        """While the block goes on, log what the model's check says. It neither delays the block nor fails it."""
        checking = asyncio.create_task(self._log_notices())
        try:
            yield
        finally:
            checking.cancel()
            await asyncio.wait({checking})

    async def _log_notices(self) -> None:
        try:
            for notice in await self.model():
                if notice.level is not Level.OK:
                    log.warning("%s: %s", notice.subject, notice.detail)
        except Exception:
            log.exception("the model could not be checked")
