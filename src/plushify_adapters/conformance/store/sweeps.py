"""Contract of the queries of the sweeps: expired leases, expired trash, and failures with possibly orphaned blobs."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from plushify_adapters.conformance.store.entities import NOW, SECOND, failed, pending, running, succeeded, trashed
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel
from plushify_core.domain.errors import Code, Reason
from plushify_core.domain.generation import Failure, Generation
from plushify_core.ports import Generations, Store

LATER = NOW + 1_000 * SECOND


async def _add(store: Store, generations: Sequence[Generation]) -> None:
    async with store.begin() as tx:
        for generation in generations:
            await tx.generations.add(generation)


def _ids(generations: Sequence[Generation]) -> list[UUID]:
    return sorted(generation.id for generation in generations)


async def _sweep_concurrently(
    store: Store,
    find: Callable[[Generations], Awaitable[Sequence[Generation]]],
    change: Callable[[Generations, Generation], Awaitable[bool]],
) -> list[Generation]:
    """Run five sweeps, each in batches until `find` returns an empty one. Return the generations that were changed.

    Args:
        store: store to sweep.
        find: returns a batch of generations.
        change: changes one generation of the batch, and returns whether it did.
    """

    async def sweep() -> list[Generation]:
        changed: list[Generation] = []
        while True:
            async with store.begin() as tx:
                batch = await find(tx.generations)
                changed += [found for found in batch if await change(tx.generations, found)]
            if not batch:
                return changed

    return [found for changed in await in_parallel(sweep() for _ in range(5)) for found in changed]


class SweepsContract(StoreSuite):
    """Contract of `Generations.abandoned`, `expired_trash` and `untidy`."""

    async def test_finds_generations_with_an_expired_lease(self, store: Store) -> None:
        """Pending and running generations of all users are abandoned from the end of their lease on, oldest first."""
        first, second, third = pending("ann"), running("bob"), running("cid")
        now = second.lease_until
        assert now is not None
        assert third.lease_until == now
        leased = pending("dan", lease_until=now + SECOND / 1_000_000)
        await _add(store, [first, second, third, leased, succeeded(), failed(), trashed()])
        async with store.begin() as tx:
            assert _ids(await tx.generations.abandoned(now, limit=10)) == _ids([first, second, third])
            oldest = sorted((first, second, third), key=lambda found: (found.lease_until, found.id))[:2]
            assert await tx.generations.abandoned(now, limit=2) == oldest

    async def test_concurrent_sweeps_end_each_abandoned_generation_once(self, store: Store) -> None:
        """Of concurrent sweeps in batches, exactly one ends each abandoned generation, and none is left."""
        abandoned = [running(f"user-{number % 4}") for number in range(30)]
        await _add(store, abandoned)
        failure = Failure(code=Code.GENERATION_FAILED, reason=Reason.INTERRUPTED)

        ended = await _sweep_concurrently(
            store,
            lambda generations: generations.abandoned(LATER, limit=4),
            lambda generations, found: generations.replace(found, found.fail(failure, at=LATER)),
        )

        assert _ids(ended) == _ids(abandoned)

    async def test_finds_expired_trash(self, store: Store) -> None:
        """Generations deleted at or before a time are found, oldest deletion first, also while they are purged."""
        third, first, second = (trashed(at=NOW + seconds * SECOND) for seconds in (30, 10, 20))
        second = second.begin_purge()
        later = trashed(at=NOW + 30 * SECOND + SECOND / 1_000_000)
        await _add(store, [third, first, second, later, succeeded(), pending()])
        async with store.begin() as tx:
            until = NOW + 30 * SECOND
            assert await tx.generations.expired_trash(until, limit=10) == [first, second, third]
            assert await tx.generations.expired_trash(until, limit=2) == [first, second]
            assert await tx.generations.expired_trash(NOW, limit=10) == []

    async def test_concurrent_purges_remove_each_generation_once(self, store: Store) -> None:
        """Of concurrent purges in batches, exactly one removes each generation, and none is left."""
        deleted = [trashed() for _ in range(30)]
        await _add(store, deleted)

        removed = await _sweep_concurrently(
            store,
            lambda generations: generations.expired_trash(LATER, limit=4),
            lambda generations, found: generations.remove(found),
        )

        assert _ids(removed) == _ids(deleted)

    async def test_finds_untidy_generations(self, store: Store) -> None:
        """Failed generations that are untidy since a time or longer are found, oldest first, except for the trash."""
        third, first, second = (failed(at=NOW + seconds * SECOND) for seconds in (30, 10, 20))
        later = failed(at=NOW + 30 * SECOND + SECOND / 1_000_000)
        tidy, deleted = failed(at=NOW).tidy(), failed(at=NOW).trash(at=NOW)
        await _add(store, [third, first, second, later, tidy, deleted, succeeded(), pending(), running()])
        async with store.begin() as tx:
            until = NOW + 30 * SECOND
            assert await tx.generations.untidy(until, limit=10) == [first, second, third]
            assert await tx.generations.untidy(until, limit=2) == [first, second]
            assert await tx.generations.untidy(NOW, limit=10) == []

    async def test_concurrent_sweeps_tidy_each_generation_once(self, store: Store) -> None:
        """Of concurrent sweeps in batches, exactly one tidies each generation, and none is left."""
        untidy = [failed() for _ in range(30)]
        await _add(store, untidy)

        tidied = await _sweep_concurrently(
            store,
            lambda generations: generations.untidy(LATER, limit=4),
            lambda generations, found: generations.replace(found, found.tidy()),
        )

        assert _ids(tidied) == _ids(untidy)
