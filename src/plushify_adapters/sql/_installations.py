"""Identity of the installation in SQL."""

import msgspec
from sqlalchemy import select, update

from plushify_adapters.sql._statements import Repository, insert_or_nothing
from plushify_adapters.sql._tables import INSTALLATION, ONLY_ROW
from plushify_core import ports
from plushify_core.ports import Installation


class SqlInstallations(Repository, ports.Installations):
    """Record of the identity."""

    async def get(self) -> Installation | None:
        query = select(INSTALLATION.c.id, INSTALLATION.c.storage_marked)
        row = (await self.connection.execute(query)).one_or_none()
        return None if row is None else Installation(**row._mapping)

    async def add(self, installation: Installation) -> bool:
        values = {"singleton": ONLY_ROW, **msgspec.structs.asdict(installation)}
        return await insert_or_nothing(self.connection, INSTALLATION, values, "singleton")

    async def replace(self, installation: Installation) -> None:
        await self.connection.execute(update(INSTALLATION).values(msgspec.structs.asdict(installation)))
