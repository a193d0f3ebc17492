"""Identity of the installation in memory."""

from plushify_adapters.memory._tables import Repository
from plushify_core import ports
from plushify_core.ports import Installation

_ONLY = 1
"""Key of the only row."""


class MemoryInstallations(Repository, ports.Installations):
    """Record of the identity."""

    async def get(self) -> Installation | None:
        return self.tables.installations.get(_ONLY)

    async def add(self, installation: Installation) -> bool:
        return self.tables.installations.setdefault(_ONLY, installation) is installation

    async def replace(self, installation: Installation) -> None:
        if _ONLY in self.tables.installations:
            self.tables.installations[_ONLY] = installation
