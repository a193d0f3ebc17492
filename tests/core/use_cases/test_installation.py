"""Installation: a database and a blob store work together only if they belong to the same installation."""

import asyncio

import pytest

from plushify_adapters.memory import MemoryBlobStore, MemoryStore
from plushify_core import InstallationUseCase, WrongStorage, uuid7
from plushify_core.domain.generation import INSTALLATION_KEY
from plushify_core.ports import Installation, Store
from tests.broken import BrokenBlobs
from tests.virtual_time import on_virtual_time


def of(store: Store, blobs: MemoryBlobStore) -> InstallationUseCase:
    """Return the use case of a process on this database and this blob store."""
    return InstallationUseCase(store=store, blobs=blobs, new_id=uuid7)


async def recorded(store: Store) -> Installation | None:
    """Return the record in the database."""
    async with store.begin() as tx:
        return await tx.installations.get()


@on_virtual_time
async def test_the_first_start_marks_both() -> None:
    """The first start records one id in the database and in the blob store, and later starts change nothing."""
    store, blobs = MemoryStore(), MemoryBlobStore()
    await of(store, blobs).verify()

    installation = await recorded(store)
    assert installation is not None
    assert installation.storage_marked
    marked = dict(blobs.blobs)
    assert marked == {INSTALLATION_KEY: (f"{installation.id}\n".encode(), "text/plain")}

    await of(store, blobs).verify()
    assert (await recorded(store), blobs.blobs) == (installation, marked)


@on_virtual_time
async def test_without_recording_nothing_changes() -> None:
    """A check that does not record accepts a new installation, and changes nothing."""
    store, blobs = MemoryStore(), MemoryBlobStore()
    await of(store, blobs).verify(record=False)
    assert (await recorded(store), blobs.blobs) == (None, {})

    async with store.begin() as tx:
        await tx.installations.add(unmarked := Installation(id=uuid7()))
    await of(store, blobs).verify(record=False)
    assert (await recorded(store), blobs.blobs) == (unmarked, {})


@on_virtual_time
async def test_replicas_start_concurrently() -> None:
    """Replicas that start together for the first time agree on one id."""
    store, blobs = MemoryStore(), MemoryBlobStore()
    for delay in range(20):

        async def start(steps: int) -> None:
            for _ in range(steps):
                await asyncio.sleep(0)
            await of(store, blobs).verify()

        await asyncio.gather(*(start(replica * delay) for replica in range(4)))
    assert len(blobs.blobs) == 1


@on_virtual_time
async def test_databases_that_start_concurrently_on_one_blob_store() -> None:
    """Of several new databases on one blob store, one gets it, and the others are refused."""
    blobs = MemoryBlobStore()
    starts = (of(MemoryStore(), blobs).verify() for _ in range(5))
    refused = await asyncio.gather(*starts, return_exceptions=True)
    assert sorted(type(result).__name__ for result in refused) == ["NoneType", *["WrongStorage"] * 4]


@on_virtual_time
async def test_an_interrupted_first_start_is_finished() -> None:
    """If the blob store is down after the id was recorded, the next start writes it there."""
    store, blobs = MemoryStore(), BrokenBlobs()
    async with store.begin() as tx:
        await tx.installations.add(Installation(id=(installation_id := uuid7())))

    await of(store, blobs).verify()

    assert await recorded(store) == Installation(id=installation_id, storage_marked=True)
    assert blobs.blobs[INSTALLATION_KEY][0].decode().strip() == str(installation_id)


@on_virtual_time
async def test_refuses_the_blob_store_of_another_installation() -> None:
    """A database with an id is refused on the blob store of another one, and both keep their ids."""
    store, other, blobs, others = MemoryStore(), MemoryStore(), MemoryBlobStore(), MemoryBlobStore()
    await of(store, blobs).verify()
    await of(other, others).verify()
    ours, theirs = await recorded(store), await recorded(other)
    assert ours is not None
    assert theirs is not None
    before = dict(others.blobs)

    with pytest.raises(WrongStorage) as refused:
        await of(store, others).verify()

    assert (refused.value.database, refused.value.storage) == (ours.id, theirs.id)
    assert (await recorded(store), others.blobs) == (ours, before)


@on_virtual_time
async def test_refuses_a_new_database_on_a_used_blob_store() -> None:
    """A database without an id does not take over a blob store that has one."""
    blobs = MemoryBlobStore()
    await of(MemoryStore(), blobs).verify()
    before = dict(blobs.blobs)
    new = MemoryStore()

    for record in (False, True):
        with pytest.raises(WrongStorage) as refused:
            await of(new, blobs).verify(record=record)
        assert refused.value.database is None
    assert (await recorded(new), blobs.blobs) == (None, before)


@on_virtual_time
async def test_refuses_an_empty_blob_store_after_the_first_start() -> None:
    """A blob store without an id is the wrong one if the database has seen another with its id."""
    store = MemoryStore()
    await of(store, MemoryBlobStore()).verify()
    empty = MemoryBlobStore()

    with pytest.raises(WrongStorage) as refused:
        await of(store, empty).verify()

    assert refused.value.storage is None
    assert empty.blobs == {}


@on_virtual_time
async def test_refuses_a_damaged_mark() -> None:
    """A blob that contains no id is neither accepted nor overwritten, also by an adoption."""
    store, blobs = MemoryStore(), MemoryBlobStore()
    await blobs.put(INSTALLATION_KEY, "ä".encode(), media_type="text/plain")
    for attempt in (of(store, blobs).verify, of(store, blobs).adopt_storage):
        with pytest.raises(WrongStorage):
            await attempt()
    assert blobs.blobs[INSTALLATION_KEY][0] == "ä".encode()


@on_virtual_time
async def test_adopts_a_blob_store() -> None:
    """An adoption gives the database the id of the blob store, which keeps it. Then they belong together."""
    store, other, blobs, others = MemoryStore(), MemoryStore(), MemoryBlobStore(), MemoryBlobStore()
    await of(store, blobs).verify()
    await of(other, others).verify()
    before = dict(others.blobs)

    for database in (store, MemoryStore()):
        adopted = await of(database, others).adopt_storage()
        assert await recorded(database) == Installation(id=adopted, storage_marked=True)
        await of(database, others).verify()
    assert others.blobs == before


@on_virtual_time
async def test_adopts_an_empty_blob_store() -> None:
    """An adoption writes the id of the database to a blob store without one."""
    store, empty = MemoryStore(), MemoryBlobStore()
    await of(store, MemoryBlobStore()).verify()

    await of(store, empty).adopt_storage()

    await of(store, empty).verify()


@on_virtual_time
async def test_an_unavailable_blob_store_is_no_wrong_one() -> None:
    """If the blob store is down, its error is raised, and nothing is recorded."""
    store, blobs = MemoryStore(), BrokenBlobs()
    blobs.refused.add("read installation")

    with pytest.raises(OSError, match="refuses"):
        await of(store, blobs).verify()

    assert await recorded(store) is None
