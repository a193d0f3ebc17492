"""Identity of an installation, which its database and its blob store must share."""

from typing import Protocol
from uuid import UUID

import msgspec


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """Identity of an installation, as its database records it.

    `storage_marked` tells whether the blob store was seen with the same id. From then on, a blob store without it is
    the wrong one.
    """

    id: UUID
    storage_marked: bool = False


class Installations(Protocol):
    """Record of the identity, within one transaction. A database has at most one."""

    async def get(self) -> Installation | None:
        """Return the record; None if there is none yet."""
        ...

    async def add(self, installation: Installation) -> bool:
        """Add the record. Return False, and change nothing, if there is one."""
        ...

    async def replace(self, installation: Installation) -> None:
        """Replace the record. Do nothing if there is none."""
        ...
