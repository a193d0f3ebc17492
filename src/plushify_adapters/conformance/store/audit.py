"""Contract of `Audit`.

The suite cannot test that an imbalance is found, because no method of the port can cause one.
"""

from plushify_adapters.conformance.store.entities import (
    NOW,
    SECOND,
    entry,
    failed,
    model_call,
    new_id,
    paid_call,
    pending,
    running,
    succeeded,
    trashed,
)
from plushify_adapters.conformance.store.suite import StoreSuite, balance_of, open_account
from plushify_core.domain.generation import Generation
from plushify_core.domain.ledger import EntryKind
from plushify_core.domain.model_call import ModelCall
from plushify_core.ports import Store


class AuditContract(StoreSuite):
    """Contract of `Audit`."""

    async def test_finds_no_imbalance_in_a_correct_ledger(self, store: Store) -> None:
        """A balance that equals the sum of its entries is no imbalance, and a recount does not change it."""
        await open_account(store, 3)
        await open_account(store, 0, "bob")
        async with store.begin() as tx:
            await tx.credits.post(entry(-2))
            assert await tx.audit.imbalances(after=None, limit=10) == []
            await tx.audit.recount("ann")
            await tx.audit.recount("bob")
        assert [await balance_of(store), await balance_of(store, "bob")] == [1, 0]

    async def test_scans_all_generations_in_pages(self, store: Store) -> None:
        """The pages contain each generation of all users once, ordered by id, including those in the trash."""
        rows = [pending(), trashed(), failed("bob"), running("cid"), trashed("dan").begin_purge(), succeeded()]
        async with store.begin() as tx:
            for row in reversed(rows):
                await tx.generations.add(row)
        seen: list[Generation] = []
        async with store.begin() as tx:
            while page := await tx.audit.scan(after=seen[-1].id if seen else None, limit=4):
                assert len(page) <= 4
                seen.extend(page)
        assert seen == rows

    async def test_finds_generations_by_id(self, store: Store) -> None:
        """`find` returns the existing generations of all users."""
        first, second, other = succeeded(), trashed("bob"), pending()
        async with store.begin() as tx:
            for row in (first, second, other):
                await tx.generations.add(row)
            found = await tx.audit.find([second.id, new_id(), first.id])
            assert sorted(found, key=lambda row: row.id) == [first, second]
            assert await tx.audit.find([]) == []

    async def test_finds_the_newest_generation(self, store: Store) -> None:
        """`newest` returns the greatest id of all generations, also one in the trash."""
        rows = [pending(), succeeded("bob"), trashed("cid")]
        async with store.begin() as tx:
            assert await tx.audit.newest() is None
            for row in reversed(rows):
                await tx.generations.add(row)
            assert await tx.audit.newest() == rows[-1].id

    async def test_sums_the_entries_of_each_generation(self, store: Store) -> None:
        """Each sum includes only the entries of its generation. A generation without entries has no sum."""
        charged, refunded, free = new_id(), new_id(), new_id()
        await open_account(store, 9)
        async with store.begin() as tx:
            await tx.credits.post(entry(-2, generation_id=charged))
            await tx.credits.post(entry(-4, generation_id=refunded))
            await tx.credits.post(entry(4, generation_id=refunded, kind=EntryKind.REFUND))
            sums = await tx.audit.entry_sums([charged, refunded, free])
            assert [sums[charged], sums[refunded]] == [-2, 0]
            assert free not in sums
            assert not await tx.audit.entry_sums([])

    async def test_lists_open_calls_in_pages(self, store: Store) -> None:
        """The pages contain once each call without an outcome that started before a time, ordered by generation id."""
        calls = [model_call() for _ in range(5)]
        too_recent = model_call(started_at=NOW + SECOND)
        async with store.begin() as tx:
            for call in (too_recent, paid_call(1), *reversed(calls)):
                await tx.model_calls.add(call)
        seen: list[ModelCall] = []
        async with store.begin() as tx:
            while page := await tx.audit.open_calls(
                NOW + SECOND, after=seen[-1].generation_id if seen else None, limit=2
            ):
                assert len(page) <= 2
                seen.extend(page)
        assert seen == calls
