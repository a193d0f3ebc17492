"""Contract of `Generations`, except for the queries of the sweeps: fields, compare-and-set and gallery."""

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
    """Contract of `add`, `get`, `by_idempotency_key`, `replace`, `remove`, `page`, `count` and `count_unfinished`."""

    @pytest.mark.parametrize(
        "make",
        [pending, running, succeeded, failed, trashed, lambda: trashed().begin_purge()],
        ids=["pending", "running", "succeeded", "failed", "trashed", "purging"],
    )
    async def test_stores_every_field_of_a_generation(self, store: Store, make: Callable[[], Generation]) -> None:
        """A generation of any status is returned as it was stored."""
        stored = msgspec.structs.replace(make(), idempotency_key="Schlüssel \N{TEDDY BEAR}")
        await _add(store, stored)
        assert await _get(store, stored) == stored

    async def test_stores_times_in_utc_to_the_microsecond(self, store: Store) -> None:
        """A time in another time zone is returned as the same time. A time in UTC is returned in UTC."""
        in_nepal = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
        stored = pending(created_at=in_nepal)
        await _add(store, stored)
        found = await _get(store, stored)
        assert found is not None
        assert found.created_at == NOW
        assert found.deadline_at == stored.deadline_at
        assert found.deadline_at.utcoffset() == timedelta(0)

    async def test_returns_none_for_unknown_ids_and_keys(self, store: Store) -> None:
        """`get` and `by_idempotency_key` return None if there is no such generation."""
        async with store.begin() as tx:
            assert await tx.generations.get(new_id()) is None
            assert await tx.generations.by_idempotency_key("ann", "k") is None

    async def test_adds_one_generation_per_user_and_idempotency_key(self, store: Store) -> None:
        """A second generation of the same user and key is not added, and the transaction can continue."""
        first, second, other = pending(idempotency_key="k"), pending(idempotency_key="k"), pending("bob")
        other = msgspec.structs.replace(other, idempotency_key="k")
        await _add(store, first)
        async with store.begin() as tx:
            assert not await tx.generations.add(second)
            assert await tx.generations.add(other)
            assert await tx.generations.get(second.id) is None
            assert await tx.generations.by_idempotency_key("ann", "k") == first
            assert await tx.generations.by_idempotency_key("bob", "k") == other

    async def test_the_idempotency_key_is_optional(self, store: Store) -> None:
        """A user can have any number of generations without a key."""
        await _add(store, pending(), pending())
        async with store.begin() as tx:
            assert await tx.generations.count("ann", ANY) == 2

    async def test_concurrent_calls_with_one_key_add_one_generation(self, store: Store) -> None:
        """Of concurrent transactions that add a generation with the same key, exactly one succeeds."""

        async def add() -> bool:
            async with store.begin() as tx:
                return await tx.generations.add(pending(idempotency_key="k"))

        assert sorted(await in_parallel(add() for _ in range(20))) == [False] * 19 + [True]

    async def test_finds_generations_in_the_trash_by_idempotency_key(self, store: Store) -> None:
        """A generation in the trash keeps its key. The key is free again once the generation is removed."""
        deleted = trashed(idempotency_key="k")
        await _add(store, deleted)
        async with store.begin() as tx:
            assert await tx.generations.by_idempotency_key("ann", "k") == deleted
            assert await tx.generations.remove(deleted)
        await _add(store, pending(idempotency_key="k"))

    async def test_replaces_the_current_generation(self, store: Store) -> None:
        """`replace` stores every field of the new value."""
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
    async def test_refuses_a_stale_status_or_fence(self, store: Store, stale: Callable[[], Generation]) -> None:
        """`replace` and `remove` change nothing if the stored generation has another status or fence."""
        stored = running()
        outdated = msgspec.structs.replace(stale(), id=stored.id)
        await _add(store, stored)
        async with store.begin() as tx:
            assert not await tx.generations.replace(outdated, msgspec.structs.replace(failed(), id=stored.id))
            assert not await tx.generations.remove(outdated)
        assert await _get(store, stored) == stored

    async def test_refuses_a_removed_generation(self, store: Store) -> None:
        """A removed generation can be neither replaced nor removed again."""
        gone = trashed()
        await _add(store, gone)
        async with store.begin() as tx:
            assert await tx.generations.remove(gone)
        async with store.begin() as tx:
            assert not await tx.generations.replace(gone, gone.restore())
            assert not await tx.generations.remove(gone)
        assert await _get(store, gone) is None

    async def test_remove_keeps_entries_and_model_call(self, store: Store) -> None:
        """The ledger entries and the model call of a removed generation remain."""
        gone = trashed()
        call, charge = model_call(gone.id), entry(-2, generation_id=gone.id)
        await open_account(store, 2)
        await _add(store, gone)
        async with store.begin() as tx:
            await tx.credits.post(charge)
            await tx.model_calls.add(call)
        async with store.begin() as tx:
            assert await tx.generations.remove(gone)
        async with store.begin() as tx:
            assert await tx.credits.entries_of(gone.id) == [charge]
            assert await tx.model_calls.get(gone.id) == call

    async def test_concurrent_replacements_succeed_once(self, store: Store) -> None:
        """Of concurrent transactions that replace a generation, exactly one succeeds, and its value is stored."""
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
    async def test_returns_the_gallery_in_pages(self, store: Store, sort: Sort, limit: int) -> None:
        """The pages contain each generation of the user once, ordered by id, also within one millisecond.

        They contain none of other users and none from the trash.
        """
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

    async def test_a_page_can_begin_after_a_deleted_generation(self, store: Store) -> None:
        """A page begins after an id, even if that generation is in the trash."""
        first, second, third = succeeded(), trashed(), succeeded()
        await _add(store, first, second, third)
        async with store.begin() as tx:
            assert await tx.generations.page("ann", ANY, after=second.id, limit=9) == [first]
            oldest = GalleryFilter(sort=Sort.OLDEST)
            assert await tx.generations.page("ann", oldest, after=second.id, limit=9) == [third]

    async def test_filters_and_counts_by_style_and_quality(self, store: Store) -> None:
        """`page` returns the generations of the given style and quality, and `count` counts them on all pages."""
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

    async def test_counts_unfinished_generations(self, store: Store) -> None:
        """`count_unfinished` counts only the pending and running generations of the user."""
        await _add(store, pending(), running(), succeeded(), failed(), trashed(), pending("bob"))
        async with store.begin() as tx:
            assert await tx.generations.count_unfinished("ann") == 2
            assert await tx.generations.count_unfinished("nobody") == 0
