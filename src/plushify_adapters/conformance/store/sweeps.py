"""What sweeps ask for: generations past their lease, trash past its window, and failures to clear up after."""

from collections.abc import Sequence
from uuid import UUID

from plushify_adapters.conformance.store.entities import NOW, SECOND, failed, pending, running, succeeded, trashed
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel
from plushify_core.domain.errors import Code, Reason
from plushify_core.domain.generation import Failure, Generation
from plushify_core.ports import Store


async def _add(store: Store, generations: Sequence[Generation]) -> None:
    async with store.begin() as tx:
        for generation in generations:
            await tx.generations.add(generation)


def _ids(generations: Sequence[Generation]) -> list[UUID]:
    return sorted(generation.id for generation in generations)


class SweepsContract(StoreSuite):
    """`Generations.abandoned`, `expired_trash` and `untidy`."""

    async def test_finds_the_abandoned(self, store: Store) -> None:
        """Pending and running generations are abandoned from the moment their lease is over, of any user."""
        over, just_over, taken = pending("ann"), running("bob"), running("cid")
        now = just_over.lease_until
        assert now is not None
        still = taken.lease_until
        assert still == now
        held = pending("dan", lease_until=now + SECOND / 1_000_000)
        await _add(store, [over, just_over, taken, held, succeeded(), failed(), trashed()])
        async with store.begin() as tx:
            assert _ids(await tx.generations.abandoned(now, limit=10)) == _ids([over, just_over, taken])
            longest = sorted((over, just_over, taken), key=lambda found: (found.lease_until, found.id))[:2]
            assert await tx.generations.abandoned(now, limit=2) == longest

    async def test_gives_each_abandoned_one_to_one_sweep(self, store: Store) -> None:
        """Of parallel sweeps in batches, each generation is settled by exactly one, and none is left."""
        left_behind = [running(f"user-{number % 4}") for number in range(30)]
        await _add(store, left_behind)
        failure = Failure(code=Code.GENERATION_FAILED, reason=Reason.INTERRUPTED)
        now = NOW + 1_000 * SECOND

        async def sweep() -> list[Generation]:
            settled: list[Generation] = []
            while True:
                async with store.begin() as tx:
                    batch = await tx.generations.abandoned(now, limit=4)
                    ended = [(found, found.fail(failure, at=now)) for found in batch]
                    settled += [found for found, end in ended if await tx.generations.replace(found, end)]
                if not batch:
                    return settled

        settled = [found for sweep in await in_parallel(sweep() for _ in range(5)) for found in sweep]
        assert _ids(settled) == _ids(left_behind)

    async def test_finds_expired_trash(self, store: Store) -> None:
        """What was deleted at or before a time is found, the longest deleted first, half-purged or not."""
        third, first, second = (trashed(at=NOW + seconds * SECOND) for seconds in (30, 10, 20))
        second = second.begin_purge()
        later = trashed(at=NOW + 30 * SECOND + SECOND / 1_000_000)
        await _add(store, [third, first, second, later, succeeded(), pending()])
        async with store.begin() as tx:
            until = NOW + 30 * SECOND
            assert await tx.generations.expired_trash(until, limit=10) == [first, second, third]
            assert await tx.generations.expired_trash(until, limit=2) == [first, second]
            assert await tx.generations.expired_trash(NOW, limit=10) == []

    async def test_gives_each_expired_one_to_one_purge(self, store: Store) -> None:
        """Of parallel purges in batches, each generation is removed by exactly one, and none is left."""
        deleted = [trashed() for _ in range(30)]
        await _add(store, deleted)

        async def purge() -> list[Generation]:
            removed: list[Generation] = []
            while True:
                async with store.begin() as tx:
                    batch = await tx.generations.expired_trash(NOW + 60 * SECOND, limit=4)
                    removed += [found for found in batch if await tx.generations.remove(found)]
                if not batch:
                    return removed

        removed = [found for purge in await in_parallel(purge() for _ in range(5)) for found in purge]
        assert _ids(removed) == _ids(deleted)

    async def test_finds_the_untidy(self, store: Store) -> None:
        """What failed at or before a time and was not tidied since is found, the longest ago first, unless deleted."""
        third, first, second = (failed(at=NOW + seconds * SECOND) for seconds in (30, 10, 20))
        later = failed(at=NOW + 30 * SECOND + SECOND / 1_000_000)
        tidy, deleted = failed(at=NOW).tidy(), failed(at=NOW).trash(at=NOW)
        await _add(store, [third, first, second, later, tidy, deleted, succeeded(), pending(), running()])
        async with store.begin() as tx:
            until = NOW + 30 * SECOND
            assert await tx.generations.untidy(until, limit=10) == [first, second, third]
            assert await tx.generations.untidy(until, limit=2) == [first, second]
            assert await tx.generations.untidy(NOW, limit=10) == []

    async def test_gives_each_untidy_one_to_one_sweep(self, store: Store) -> None:
        """Of parallel sweeps in batches, each generation is tidied by exactly one, and none is left."""
        left_behind = [failed() for _ in range(30)]
        await _add(store, left_behind)

        async def tidy() -> list[Generation]:
            tidied: list[Generation] = []
            while True:
                async with store.begin() as tx:
                    batch = await tx.generations.untidy(NOW + 60 * SECOND, limit=4)
                    tidied += [found for found in batch if await tx.generations.replace(found, found.tidy())]
                if not batch:
                    return tidied

        tidied = [found for tidy in await in_parallel(tidy() for _ in range(5)) for found in tidy]
        assert _ids(tidied) == _ids(left_behind)
