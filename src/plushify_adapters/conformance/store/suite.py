"""Base class and helpers of the parts of the store's suite."""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any, ClassVar, TypeVar

import pytest

from plushify_adapters.conformance.store.entities import entry, subscription
from plushify_core.ports import Store

T = TypeVar("T")


class StoreSuite:
    """Base class of the parts of the suite."""

    adapter: ClassVar[type[Store]]
    pytestmark: ClassVar[Any] = pytest.mark.anyio

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store."""
        return self.adapter()


async def in_parallel(work: Iterable[Awaitable[T]]) -> list[T]:
    """Run the awaitables concurrently, and return their results in order."""
    return list(await asyncio.gather(*work))


async def open_account(store: Store, credits: int, user_id: str = "ann") -> None:
    """Add a subscription for a new user, and grant this number of credits."""
    async with store.begin() as tx:
        await tx.credits.open(subscription(user_id))
        if credits:
            await tx.credits.post(entry(credits, user_id))


async def balance_of(store: Store, user_id: str = "ann") -> int:
    """Return the balance of the user, after asserting that it equals the sum of their entries."""
    async with store.begin() as tx:
        found = await tx.credits.subscription(user_id)
        entries = await tx.credits.entries(user_id, after=None, limit=1_000)
    assert found is not None, f"{user_id} has no subscription"
    assert found.balance == sum(entry.amount for entry in entries)
    return found.balance
