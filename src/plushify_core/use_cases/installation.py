"""Installation: the database and the blob store must belong together.

Both keep the id of the installation. The first start makes the id, records it in the database and writes it to the blob
store, where it is never overwritten.
"""

from dataclasses import dataclass
from uuid import UUID

from plushify_core.domain.generation import INSTALLATION_KEY
from plushify_core.ports import BlobMissing, BlobStore, Installation, NewId, Store

MEDIA_TYPE = "text/plain"


class WrongStorage(Exception):
    """Error for a database and a blob store that belong to different installations.

    Args:
        database: id in the database; None if the database has none yet, or was not read.
        storage: id in the blob store; None if the blob store has none, although it had one before. If both are None,
            the blob of the id contains something else.
    """

    def __init__(self, database: UUID | None, storage: UUID | None) -> None:
        super().__init__(f"the database belongs to installation {database}, the storage to {storage}")
        self.database = database
        self.storage = storage


@dataclass(frozen=True, kw_only=True, eq=False)
class InstallationUseCase:
    """Checks that database and blob store belong together."""

    store: Store
    blobs: BlobStore
    new_id: NewId

    async def verify(self, *, record: bool = True) -> None:
        """Compare the id in the database with the one in the blob store.

        If both have none, as before the first start, they get a new one. Several replicas may call this concurrently.

        Args:
            record: whether to write an id that is missing on both sides, or that the blob store lacks because a first
                start was interrupted.

        Raises:
            WrongStorage: the ids differ; or only the blob store has one; or only the database has one, although the
                blob store had it before.
            Exception: the database or the blob store is unavailable.
        """
        # The blob store is read first. The database has the id before the blob store does, so a replica that starts
        # concurrently cannot make an id appear only there.
        storage = await self._stored_id()
        installation = await self._recorded()
        if installation is None:
            if storage is not None:
                raise WrongStorage(None, storage)
            if not record:
                return
            installation = await self._add()
        if storage is None and installation.storage_marked:
            storage = await self._stored_id()  # another replica may have written it since
        elif storage is None:
            if not record:
                return
            storage = await self._mark(installation.id)
        if storage != installation.id:
            raise WrongStorage(installation.id, storage)
        if record and not installation.storage_marked:
            await self._replace(storage)

    async def adopt_storage(self) -> UUID:
        """Make the database belong to the installation of the blob store, and return the id.

        If the blob store has no id, it gets the one of the database. An id in the blob store is never changed.

        Raises:
            WrongStorage: the blob of the id contains something else.
        """
        installation = await self._recorded() or await self._add()
        storage = await self._stored_id() or await self._mark(installation.id)
        await self._replace(storage)
        return storage

    async def _recorded(self) -> Installation | None:
        async with self.store.begin() as tx:
            return await tx.installations.get()

    async def _add(self) -> Installation:
        """Record a new id in the database, unless another replica has done so. Return the record."""
        async with self.store.begin() as tx:
            made = Installation(id=self.new_id())
            return made if await tx.installations.add(made) else (await tx.installations.get() or made)

    async def _replace(self, installation_id: UUID) -> None:
        async with self.store.begin() as tx:
            await tx.installations.replace(Installation(id=installation_id, storage_marked=True))

    async def _mark(self, installation_id: UUID) -> UUID:
        """Write the id to the blob store, unless it has one. Return the id that it has then."""
        await self.blobs.create(INSTALLATION_KEY, f"{installation_id}\n".encode(), media_type=MEDIA_TYPE)
        return await self._stored_id() or installation_id

    async def _stored_id(self) -> UUID | None:
        try:
            data = b"".join([chunk async for chunk in self.blobs.read(INSTALLATION_KEY)])
        except BlobMissing:
            return None
        try:
            return UUID(data.decode("ascii").strip())
        except ValueError as error:
            raise WrongStorage(None, None) from error
