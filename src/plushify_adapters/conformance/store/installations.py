"""Contract of `Installations`."""

from plushify_adapters.conformance.store.entities import new_id
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel
from plushify_core.ports import Installation, Store


async def _add(store: Store, installation: Installation) -> bool:
    async with store.begin() as tx:
        return await tx.installations.add(installation)


async def _recorded(store: Store) -> Installation | None:
    async with store.begin() as tx:
        return await tx.installations.get()


class InstallationsContract(StoreSuite):
    """Contract of `Installations`."""

    async def test_keeps_the_first_installation(self, store: Store) -> None:
        """A new store has no record. The first one is kept, and a second one is refused."""
        assert await _recorded(store) is None
        first = Installation(id=new_id())
        assert await _add(store, first)
        assert not await _add(store, Installation(id=new_id(), storage_marked=True))
        assert await _recorded(store) == first

    async def test_concurrent_adds_keep_one(self, store: Store) -> None:
        """Of concurrent replicas, exactly one adds its record."""
        candidates = [Installation(id=new_id()) for _ in range(8)]
        added = await in_parallel(_add(store, candidate) for candidate in candidates)
        assert sorted(added) == [False] * 7 + [True]
        assert await _recorded(store) == candidates[added.index(True)]

    async def test_replaces_the_record(self, store: Store) -> None:
        """A record is replaced. Without one, nothing happens."""
        changed = Installation(id=new_id(), storage_marked=True)
        async with store.begin() as tx:
            await tx.installations.replace(changed)
            assert await tx.installations.get() is None
            await tx.installations.add(Installation(id=new_id()))
            await tx.installations.replace(changed)
        assert await _recorded(store) == changed
