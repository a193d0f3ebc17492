"""Contract of the queries of the sweeps: expired leases, expired trash, and failures with possibly orphaned blobs."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import msgspec

from plushify_adapters.conformance.store.entities import NOW, SECOND, failed, pending, running, succeeded, trashed
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel
from plushify_core.domain.errors import Code, Reason
from plushify_core.domain.generation import Failure, Generation, Status
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
    """Contract of `Generations.renew`, `release`, `abandoned`, `expired_trash` and `untidy`."""

    async def test_renews_leases(self, store: Store) -> None:
        """The leases of running generations with the right fences are renewed, and no others are changed."""
        held, also_held, not_asked, lost, waiting = running(), running("bob"), running(), running(), pending(fence=1)
        ended, absent = msgspec.structs.replace(succeeded(), fence=1), running()
        await _add(store, [held, also_held, not_asked, lost, waiting, ended])
        fences = {found.id: found.fence for found in (held, also_held, waiting, ended, absent)} | {lost.id: 7}
        async with store.begin() as tx:
            assert sorted(await tx.generations.renew(fences, LATER)) == _ids([held, also_held])
            assert list(await tx.generations.renew({}, LATER)) == []
        async with store.begin() as tx:
            for found in (held, also_held):
                assert await tx.generations.get(found.id) == msgspec.structs.replace(found, lease_until=LATER)
            for found in (not_asked, lost, waiting, ended):
                assert await tx.generations.get(found.id) == found
            assert await tx.generations.get(absent.id) is None

    async def test_renewed_generations_can_still_be_replaced(self, store: Store) -> None:
        """A renewal does not change the fence, so the process that runs a generation can end it."""
        held = running()
        await _add(store, [held])
        async with store.begin() as tx:
            await tx.generations.renew({held.id: held.fence}, LATER)
        async with store.begin() as tx:
            assert await tx.generations.abandoned(LATER - SECOND, limit=9) == []
            assert await tx.generations.replace(held, msgspec.structs.replace(failed(), id=held.id))

    async def test_concurrent_renewals_and_sweeps(self, store: Store) -> None:
        """A sweep beside a renewal fails a generation or finds its lease renewed. Neither waits forever."""
        mine = [running(f"user-{number % 4}") for number in range(12)]
        await _add(store, mine)
        fences = {found.id: found.fence for found in mine}
        failure = Failure(code=Code.GENERATION_FAILED, reason=Reason.INTERRUPTED)

        async def renew() -> None:
            async with store.begin() as tx:
                await tx.generations.renew(fences, LATER)

        async def sweep() -> None:
            async with store.begin() as tx:
                for found in await tx.generations.abandoned(LATER - SECOND, limit=2):
                    assert await tx.generations.replace(found, found.fail(failure, at=LATER))

        await in_parallel(work() for work in (renew, sweep) * 6)
        async with store.begin() as tx:
            found = await tx.audit.find(list(fences))
        assert {(one.status, one.lease_until) for one in found} <= {(Status.FAILED, None), (Status.RUNNING, LATER)}

    async def test_releases_reclaimed_generations(self, store: Store) -> None:
        """The leases of pending generations that were reclaimed end at once, and no others are changed."""
        reclaimed, not_asked = pending(fence=1), pending(fence=2)
        submitted, being_run, ended = pending(), running(), succeeded()
        await _add(store, [reclaimed, not_asked, submitted, being_run, ended])
        async with store.begin() as tx:
            await tx.generations.release([one.id for one in (reclaimed, submitted, being_run, ended)], NOW)
            await tx.generations.release([], NOW)
        async with store.begin() as tx:
            released = msgspec.structs.replace(reclaimed, lease_until=NOW)
            assert await tx.generations.abandoned(NOW, limit=9) == [released]
            for found in (not_asked, submitted, being_run, ended):
                assert await tx.generations.get(found.id) == found

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
