"""Generations: every field, the compare-and-set, the gallery."""

from collections.abc import Callable
from datetime import timedelta, timezone

import msgspec
import pytest

from plushify_adapters.conformance.store.entities import (
    NOW,
    SECOND,
    entry,
    failed,
    model_call,
    new_id,
    pending,
    running,
    succeeded,
    trashed,
)
from plushify_adapters.conformance.store.suite import StoreSuite, in_parallel, open_account
from plushify_core.domain.generation import Generation
from plushify_core.ports import GalleryFilter, Sort, Store

ANY = GalleryFilter()


async def _add(store: Store, *generations: Generation) -> None:
    async with store.begin() as tx:
        for generation in generations:
            assert await tx.generations.add(generation)


async def _get(store: Store, generation: Generation) -> Generation | None:
    async with store.begin() as tx:
        return await tx.generations.get(generation.id)


class GenerationsContract(StoreSuite):
    """`Generations.add`, `get`, `by_idempotency_key`, `replace`, `remove`, `page`, `count`, `count_unfinished`."""

    @pytest.mark.parametrize(
        "make",
        [pending, running, succeeded, failed, trashed, lambda: trashed().begin_purge()],
        ids=["pending", "running", "succeeded", "failed", "trashed", "purging"],
    )
    async def test_keeps_every_field_of_a_generation(self, store: Store, make: Callable[[], Generation]) -> None:
        """A generation comes back as it was put, whatever it has come to."""
        put = msgspec.structs.replace(make(), idempotency_key="Schlüssel \N{TEDDY BEAR}")
        await _add(store, put)
        assert await _get(store, put) == put

    async def test_keeps_moments_to_the_microsecond(self, store: Store) -> None:
        """A time in UTC comes back in UTC; one in another zone comes back as the same moment."""
        in_nepal = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
        put = pending(created_at=in_nepal)
        await _add(store, put)
        found = await _get(store, put)
        assert found is not None
        assert found.created_at == NOW
        assert found.deadline_at == put.deadline_at
        assert found.deadline_at.utcoffset() == timedelta(0)

    async def test_knows_what_it_does_not_have(self, store: Store) -> None:
        """An unknown id or key is None."""
        async with store.begin() as tx:
            assert await tx.generations.get(new_id()) is None
            assert await tx.generations.by_idempotency_key("ann", "k") is None

    async def test_takes_an_idempotency_key_once_per_user(self, store: Store) -> None:
        """A second generation of the same user and key is not added, and the transaction can go on."""
        first, second, other = pending(idempotency_key="k"), pending(idempotency_key="k"), pending("bob")
        other = msgspec.structs.replace(other, idempotency_key="k")
        await _add(store, first)
        async with store.begin() as tx:
            assert not await tx.generations.add(second)
            assert await tx.generations.add(other)
            assert await tx.generations.get(second.id) is None
            assert await tx.generations.by_idempotency_key("ann", "k") == first
            assert await tx.generations.by_idempotency_key("bob", "k") == other

    async def test_needs_no_idempotency_key(self, store: Store) -> None:
        """Any number of generations may have none."""
        await _add(store, pending(), pending())
        async with store.begin() as tx:
            assert await tx.generations.count("ann", ANY) == 2

    async def test_lets_one_of_many_have_the_key(self, store: Store) -> None:
        """Of parallel transactions that add with the same key, exactly one does."""

        async def add() -> bool:
            async with store.begin() as tx:
                return await tx.generations.add(pending(idempotency_key="k"))

        assert sorted(await in_parallel(add() for _ in range(20))) == [False] * 19 + [True]

    async def test_finds_trash_by_its_key(self, store: Store) -> None:
        """A deleted generation still has its key, until it is removed."""
        deleted = trashed(idempotency_key="k")
        await _add(store, deleted)
        async with store.begin() as tx:
            assert await tx.generations.by_idempotency_key("ann", "k") == deleted
            assert await tx.generations.remove(deleted)
        await _add(store, pending(idempotency_key="k"))

    async def test_replaces_what_stands(self, store: Store) -> None:
        """A generation is replaced by what it has become, in every field."""
        before = running()
        after = msgspec.structs.replace(succeeded(), id=before.id)
        await _add(store, before)
        async with store.begin() as tx:
            assert await tx.generations.replace(before, after)
        assert await _get(store, before) == after

    @pytest.mark.parametrize(
        "stale",
        [lambda: pending(fence=1), lambda: msgspec.structs.replace(running(), fence=7)],
        ids=["status", "fence"],
    )
    async def test_leaves_what_has_moved_on(self, store: Store, stale: Callable[[], Generation]) -> None:
        """With another status or fence than the stored one, nothing is replaced or removed."""
        stored = running()
        outdated = msgspec.structs.replace(stale(), id=stored.id)
        await _add(store, stored)
        async with store.begin() as tx:
            assert not await tx.generations.replace(outdated, msgspec.structs.replace(failed(), id=stored.id))
            assert not await tx.generations.remove(outdated)
        assert await _get(store, stored) == stored

    async def test_leaves_what_is_gone(self, store: Store) -> None:
        """What was removed can be neither replaced nor removed, and does not come back."""
        gone = trashed()
        await _add(store, gone)
        async with store.begin() as tx:
            assert await tx.generations.remove(gone)
        async with store.begin() as tx:
            assert not await tx.generations.replace(gone, gone.restore())
            assert not await tx.generations.remove(gone)
        assert await _get(store, gone) is None

    async def test_removes_the_row_alone(self, store: Store) -> None:
        """The entries and the model call of a removed generation stay."""
        gone = trashed()
        call, price = model_call(gone.id), entry(-2, generation_id=gone.id)
        await open_account(store, 2)
        await _add(store, gone)
        async with store.begin() as tx:
            await tx.credits.post(price)
            await tx.model_calls.add(call)
        async with store.begin() as tx:
            assert await tx.generations.remove(gone)
        async with store.begin() as tx:
            assert await tx.credits.entries_of(gone.id) == [price]
            assert await tx.model_calls.get(gone.id) == call

    async def test_lets_one_of_many_replace(self, store: Store) -> None:
        """Of parallel transactions that replace the same generation, exactly one does, and what it put stays."""
        before = pending()
        await _add(store, before)

        async def dispatch(seconds: int) -> Generation | None:
            after = before.dispatch(NOW + seconds * SECOND)
            async with store.begin() as tx:
                return after if await tx.generations.replace(before, after) else None

        outcomes = await in_parallel(dispatch(seconds) for seconds in range(20))
        winners = [outcome for outcome in outcomes if outcome is not None]
        assert len(winners) == 1
        assert await _get(store, before) == winners[0]

    @pytest.mark.parametrize("sort", list(Sort))
    @pytest.mark.parametrize("limit", [1, 3, 100])
    async def test_pages_through_a_gallery(self, store: Store, sort: Sort, limit: int) -> None:
        """Pages show each of the user's generations once, in the order of the ids, also within a millisecond;
        nothing of others, and nothing that is deleted."""
        mine = [make() for make in (pending, succeeded, failed, running, succeeded, failed, succeeded)]
        await _add(store, *reversed(mine), succeeded("bob"), trashed(), trashed("bob"))

        shown: list[Generation] = []
        while True:
            after = shown[-1].id if shown else None
            async with store.begin() as tx:
                page = await tx.generations.page("ann", GalleryFilter(sort=sort), after=after, limit=limit)
            assert len(page) <= limit
            if not page:
                break
            shown.extend(page)
        assert shown == sorted(mine, key=lambda one: one.id, reverse=sort is Sort.NEWEST)

    async def test_goes_on_behind_what_was_deleted(self, store: Store) -> None:
        """A page begins behind an id, whether that is still shown or not."""
        first, second, third = succeeded(), trashed(), succeeded()
        await _add(store, first, second, third)
        async with store.begin() as tx:
            assert await tx.generations.page("ann", ANY, after=second.id, limit=9) == [first]
            oldest = GalleryFilter(sort=Sort.OLDEST)
            assert await tx.generations.page("ann", oldest, after=second.id, limit=9) == [third]

    async def test_filters_and_counts(self, store: Store) -> None:
        """A filter leaves those of its style and quality, and counts them over all pages."""
        plain = succeeded(style="classic", quality="standard")
        big = succeeded(style="classic", quality="ultra")
        sweet = succeeded(style="kawaii", quality="standard")
        await _add(store, plain, big, sweet, trashed(style="classic"), succeeded("bob", style="classic"))
        async with store.begin() as tx:
            for filter, expected in (
                (ANY, [sweet, big, plain]),
                (GalleryFilter(style="classic"), [big, plain]),
                (GalleryFilter(quality="standard"), [sweet, plain]),
                (GalleryFilter(style="classic", quality="standard"), [plain]),
                (GalleryFilter(style="chibi"), []),
            ):
                assert await tx.generations.page("ann", filter, after=None, limit=9) == expected
                assert await tx.generations.count("ann", filter) == len(expected)

    async def test_counts_what_is_unfinished(self, store: Store) -> None:
        """Pending and running generations of the user count, and no others."""
        await _add(store, pending(), running(), succeeded(), failed(), trashed(), pending("bob"))
        async with store.begin() as tx:
            assert await tx.generations.count_unfinished("ann") == 2
            assert await tx.generations.count_unfinished("nobody") == 0
