"""Grants with an idempotency key: each is made once."""

import asyncio

import pytest

from plushify_core import (
    InvalidInput,
    Limits,
    Reason,
)
from plushify_core.ports import BalanceChanged
from tests.broken import BrokenStore
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import on_virtual_time


async def grant(plushify: InMemoryPlushify, amount: int = 5, *, key: str = "order-1", reason: str = "bought") -> bool:
    """Grant credits to Ann with a key, and return whether they are new."""
    granted = await plushify.credits.add_credits("ann", amount, reason=reason, actor="shop", idempotency_key=key)
    assert granted.amount == amount
    assert granted.subscription.balance == await plushify.balance()
    return granted.new


@on_virtual_time
async def test_repeated_grant() -> None:
    """A grant that is repeated with its key is posted once, also after its credits have been spent."""
    plushify = InMemoryPlushify()

    assert [await grant(plushify), await grant(plushify)] == [True, False]
    await plushify.credits.consume_credits("ann", 8, reason="a poster")
    assert not await grant(plushify)

    assert await plushify.amounts() == [3, 5, -8]


@on_virtual_time
async def test_grants_without_a_key() -> None:
    """Two equal grants without a key are two grants."""
    plushify = InMemoryPlushify()
    assert [(await plushify.credits.add_credits("ann", 1, reason="gift")).new for _ in range(2)] == [True, True]
    assert await plushify.amounts() == [3, 1, 1]


@on_virtual_time
async def test_keys_of_grants_belong_to_one_user() -> None:
    """Two users, two keys, and a submission with the same key do not interfere."""
    plushify = InMemoryPlushify()
    await plushify.submit(key="order-1")
    assert [await grant(plushify), await grant(plushify, key="order-2")] == [True, True]
    assert (await plushify.credits.add_credits("bob", 5, reason="bought", idempotency_key="order-1")).new
    assert [await plushify.amounts(), await plushify.amounts("bob")] == [[3, -1, 5, 5], [3, 5]]


@pytest.mark.parametrize(("amount", "reason"), [(6, "bought"), (5, "a gift")])
@on_virtual_time
async def test_key_of_another_grant(amount: int, reason: str) -> None:
    """The same key with another amount or reason is refused, and nothing is granted."""
    plushify = InMemoryPlushify()
    await grant(plushify)

    with pytest.raises(InvalidInput) as caught:
        await grant(plushify, amount, reason=reason)

    assert caught.value.reason is Reason.IDEMPOTENCY_KEY_REUSED
    assert await plushify.amounts() == [3, 5]


@pytest.mark.parametrize("key", ["", "with space", "\n", "\0", "ä", "k" * 256])
@on_virtual_time
async def test_invalid_key_of_a_grant(key: str) -> None:
    """A key that a submission may not have is refused, and nothing is granted."""
    plushify = InMemoryPlushify()

    with pytest.raises(InvalidInput) as caught:
        await grant(plushify, key=key)

    assert caught.value.reason is Reason.IDEMPOTENCY_KEY_INVALID
    assert await plushify.amounts() == []


@on_virtual_time
async def test_concurrent_grants() -> None:
    """Of fifty concurrent grants with one key, one is posted."""
    plushify = InMemoryPlushify()
    assert sorted(await asyncio.gather(*(grant(plushify) for _ in range(50)))) == [False] * 49 + [True]
    assert await plushify.amounts() == [3, 5]


@on_virtual_time
async def test_grant_whose_commit_is_uncertain() -> None:
    """A grant whose commit fails, or succeeds without an answer, can be repeated until it is answered."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    store.refusals, store.lost_answers = 1, 1

    for _ in range(2):
        with pytest.raises(ConnectionError):
            await grant(plushify)
    assert not await grant(plushify)

    assert await plushify.amounts() == [3, 5]


@on_virtual_time
async def test_repeated_grant_that_has_expired() -> None:
    """A grant with a key expires like any other, once, and is not granted again after that."""
    plushify = InMemoryPlushify(limits=Limits(credits_expire_days=1, free_credits=0))
    assert [await grant(plushify), await grant(plushify)] == [True, False]
    await asyncio.sleep(24 * 60 * 60)
    await plushify.sweep()

    assert not await grant(plushify)

    assert await plushify.amounts() == [5, -5]


@on_virtual_time
async def test_grant_publishes_the_balance() -> None:
    """A grant with a key publishes that the balance has changed. So does its repetition, as an event may be lost."""
    plushify = InMemoryPlushify()
    async with plushify.events.subscribe("ann") as events:
        for _ in range(2):
            await grant(plushify)
            assert await anext(events) == BalanceChanged(user_id="ann")
