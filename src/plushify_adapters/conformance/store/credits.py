"""Contract of `Credits`: no negative balance, no duplicate entry, and a balance that equals the sum of the entries."""

import asyncio

import msgspec
import pytest

from plushify_adapters.conformance.store.entities import NOW, SECOND, entry, new_id, subscription
from plushify_adapters.conformance.store.suite import StoreSuite, balance_of, in_parallel, open_account
from plushify_core.domain.errors import InsufficientCredits
from plushify_core.domain.ledger import EntryKind, LedgerEntry
from plushify_core.ports import Store


async def _post(store: Store, posted: LedgerEntry) -> bool | None:
    """Return whether the entry was posted; None if the balance is too low."""
    try:
        async with store.begin() as tx:
            return await tx.credits.post(posted)
    except InsufficientCredits:
        return None


class CreditsContract(StoreSuite):
    """Contract of `Credits`."""

    async def test_opens_one_subscription_per_user(self, store: Store) -> None:
        """`open` stores a subscription in every field. A second `open` changes nothing."""
        async with store.begin() as tx:
            assert await tx.credits.subscription("ann") is None
            assert await tx.credits.open(subscription())
            again = msgspec.structs.replace(subscription(), plan="other", created_at=NOW + SECOND)
            assert not await tx.credits.open(again)
            assert await tx.credits.subscription("ann") == subscription()

    async def test_concurrent_calls_open_one_subscription(self, store: Store) -> None:
        """Of concurrent transactions that open a subscription and grant its free credits, exactly one succeeds."""

        async def ensure() -> bool:
            async with store.begin() as tx:
                opened = await tx.credits.open(subscription())
                if opened:
                    await tx.credits.post(entry(3))
                return opened

        assert sorted(await in_parallel(ensure() for _ in range(20))) == [False] * 19 + [True]
        assert await balance_of(store) == 3

    async def test_post_changes_the_balance_by_the_amount(self, store: Store) -> None:
        """Entries are stored in every field and returned newest first, and the balance is their sum."""
        posted = [
            entry(5),
            entry(-4, generation_id=new_id(), reason="kawaii, \N{TEDDY BEAR}"),
            entry(4, kind=EntryKind.REFUND, generation_id=new_id()),
            entry(-2, kind=EntryKind.ADJUST),
        ]
        async with store.begin() as tx:
            await tx.credits.open(subscription())
            assert [await tx.credits.post(one) for one in posted] == [True] * 4
        async with store.begin() as tx:
            assert await tx.credits.entries("ann", after=None, limit=10) == posted[::-1]
        assert await balance_of(store) == 3

    async def test_refuses_a_negative_balance(self, store: Store) -> None:
        """A posting may reduce the balance to 0. One that would make it negative raises, and changes nothing."""
        await open_account(store, 3)
        assert await _post(store, entry(-3))
        await open_account(store, 2, "bob")
        with pytest.raises(InsufficientCredits) as refused:
            async with store.begin() as tx:
                await tx.credits.post(entry(-3, "bob"))
        assert refused.value.balance == 2
        assert [await balance_of(store), await balance_of(store, "bob")] == [0, 2]

    async def test_refuses_users_without_a_subscription(self, store: Store) -> None:
        """A posting for a user without a subscription is refused, and adds no entry."""
        for amount in (1, -1):
            with pytest.raises(InsufficientCredits):
                async with store.begin() as tx:
                    await tx.credits.post(entry(amount, "nobody"))
        async with store.begin() as tx:
            assert await tx.credits.entries("nobody", after=None, limit=10) == []

    async def test_posts_one_entry_of_a_kind_per_generation(self, store: Store) -> None:
        """A second entry of a kind for a generation changes nothing, and the transaction can continue."""
        await open_account(store, 5)
        generation_id = new_id()
        charge, refund = (
            entry(-2, generation_id=generation_id),
            entry(2, kind=EntryKind.REFUND, generation_id=generation_id),
        )
        async with store.begin() as tx:
            assert await tx.credits.post(charge)
            assert not await tx.credits.post(msgspec.structs.replace(charge, id=new_id()))
            assert await tx.credits.post(refund)
            assert not await tx.credits.post(msgspec.structs.replace(refund, id=new_id()))
            assert await tx.credits.entries_of(generation_id) == [charge, refund]
            assert await tx.credits.entries_of(new_id()) == []
        assert await balance_of(store) == 5

    async def test_concurrent_refunds_post_one_entry(self, store: Store) -> None:
        """Of concurrent refunds of a generation, exactly one changes the balance."""
        await open_account(store, 1)
        generation_id = new_id()
        refunds = [entry(2, kind=EntryKind.REFUND, generation_id=generation_id) for _ in range(20)]
        outcomes = await in_parallel(_post(store, refund) for refund in refunds)
        assert sorted(map(bool, outcomes)) == [False] * 19 + [True]
        assert await balance_of(store) == 3

    async def test_posts_one_grant_per_key_and_user(self, store: Store) -> None:
        """A second grant with the same key for the same user changes nothing, and its transaction reads the first one.

        Another user, another key, and a grant without a key are independent of it.
        """
        await open_account(store, 0)
        await open_account(store, 0, "bob")
        first = entry(5, idempotency_key="order-1")
        async with store.begin() as tx:
            assert await tx.credits.by_idempotency_key("ann", "order-1") is None
            assert await tx.credits.post(first)
        again = msgspec.structs.replace(first, id=new_id(), amount=6, reason="another")
        async with store.begin() as tx:
            assert not await tx.credits.post(again)
            assert await tx.credits.by_idempotency_key("ann", "order-1") == first
            assert await tx.credits.by_idempotency_key("bob", "order-1") is None
            others = entry(5, "bob", idempotency_key="order-1"), entry(5, idempotency_key="Order-1"), entry(1), entry(1)
            assert [await tx.credits.post(other) for other in others] == [True] * 4
        assert [await balance_of(store), await balance_of(store, "bob")] == [12, 5]

    async def test_concurrent_grants_with_one_key_post_one_entry(self, store: Store) -> None:
        """Of concurrent grants with one key, exactly one changes the balance."""
        await open_account(store, 1)
        grants = [entry(2, idempotency_key="order-1") for _ in range(20)]
        outcomes = await in_parallel(_post(store, grant) for grant in grants)
        assert sorted(map(bool, outcomes)) == [False] * 19 + [True]
        assert await balance_of(store) == 3

    async def test_a_key_is_free_again_after_a_rollback(self, store: Store) -> None:
        """A grant whose transaction rolls back does not use its key."""
        await open_account(store, 0)

        async def grant_and_overspend() -> None:
            async with store.begin() as tx:
                await tx.credits.post(entry(2, idempotency_key="order-1"))
                await tx.credits.post(entry(-3))

        with pytest.raises(InsufficientCredits):
            await grant_and_overspend()
        assert await _post(store, entry(2, idempotency_key="order-1"))
        assert await balance_of(store) == 2

    async def test_concurrent_postings_do_not_overspend(self, store: Store) -> None:
        """Of 50 concurrent postings of one credit against 10 credits, 10 succeed and 40 are refused."""
        await open_account(store, 10)
        outcomes = await in_parallel(_post(store, entry(-1)) for _ in range(50))
        assert [outcomes.count(True), outcomes.count(None)] == [10, 40]
        assert await balance_of(store) == 0

    async def test_concurrent_postings_keep_balances_and_entries_equal(self, store: Store) -> None:
        """After concurrent grants and charges of several users, each balance equals the sum of its entries."""
        users = ["ann", "bob", "cid"]
        for user in users:
            await open_account(store, 4, user)
        posted = [entry(amount, user) for user in users for amount in (3, -2, -5, 1, -4, 2, -1, -3)]
        outcomes = await in_parallel(_post(store, one) for one in posted)
        for user in users:
            covered = zip(posted, outcomes, strict=True)
            expected = 4 + sum(one.amount for one, done in covered if done and one.user_id == user)
            assert await balance_of(store, user) == expected

    async def test_a_posting_waits_for_the_previous_transaction(self, store: Store) -> None:
        """A second posting of the user waits until the transaction of the first one has ended."""
        await open_account(store, 3)
        order: list[str] = []

        async def second() -> None:
            async with store.begin() as tx:
                await tx.credits.post(entry(-1))
                order.append("second posts")

        async with store.begin() as tx:
            await tx.credits.post(entry(-1))
            waiting = asyncio.create_task(second())
            for _ in range(20):  # round trips, during which a posting that does not wait would run
                await tx.credits.subscription("ann")
            order.append("first ends")
        await waiting
        assert order == ["first ends", "second posts"]

    async def test_returns_the_entries_in_pages(self, store: Store) -> None:
        """The pages contain each entry of the user once, newest first, and no entries of other users."""
        await open_account(store, 0)
        await open_account(store, 9, "bob")
        posted = [entry(1) for _ in range(7)]
        for one in posted:
            await _post(store, one)
        shown: list[LedgerEntry] = []
        while True:
            async with store.begin() as tx:
                page = await tx.credits.entries("ann", after=shown[-1].id if shown else None, limit=3)
            assert len(page) <= 3
            if not page:
                break
            shown.extend(page)
        assert shown == posted[::-1]

    async def test_concurrent_expiries_post_one_entry(self, store: Store) -> None:
        """Of concurrent entries that expire the same grant, exactly one is posted, with its `expires_grant`."""
        grant = entry(3, expires_at=NOW + SECOND)
        async with store.begin() as tx:
            await tx.credits.open(subscription())
            await tx.credits.post(grant)
        expiries = [entry(-2, kind=EntryKind.ADJUST, expires_grant=grant.id) for _ in range(10)]
        outcomes = await in_parallel(_post(store, expiry) for expiry in expiries)
        assert sorted(map(bool, outcomes)) == [False] * 9 + [True]
        assert await balance_of(store) == 1
        async with store.begin() as tx:
            won = expiries[outcomes.index(True)]
            assert await tx.credits.entries("ann", after=None, limit=9) == [won, grant]

    async def test_finds_subscriptions_with_a_due_expiry(self, store: Store) -> None:
        """`expiring` returns a subscription from its `next_expiry_at` on, until a later expiry is planned."""
        for user in ("ann", "bob", "cid", "dan"):
            await open_account(store, 0, user)
        async with store.begin() as tx:
            await tx.credits.plan_expiry("ann", NOW)
            await tx.credits.plan_expiry("bob", NOW - SECOND)
            await tx.credits.plan_expiry("cid", NOW + SECOND / 1_000_000)
        async with store.begin() as tx:
            due = await tx.credits.expiring(NOW, limit=9)
            assert sorted(found.user_id for found in due) == ["ann", "bob"]
            assert {found.next_expiry_at for found in due} == {NOW, NOW - SECOND}
            assert len(await tx.credits.expiring(NOW, limit=1)) == 1
            await tx.credits.plan_expiry("bob", None)
            assert [found.user_id for found in await tx.credits.expiring(NOW, limit=9)] == ["ann"]
