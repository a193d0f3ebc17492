"""Credits: balances, statements, and postings that do not belong to a generation."""

import asyncio
import math

import pytest

from plushify_core import (
    SYSTEM,
    EntryKind,
    InsufficientCredits,
    InvalidInput,
    Limits,
    Reason,
)
from tests.broken import BrokenStore
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import EPOCH, on_virtual_time


@on_virtual_time
async def test_new_user() -> None:
    """A new user gets the free credits, with a ledger entry."""
    plushify = InMemoryPlushify()

    subscription = await plushify.credits.ensure_subscription("ann")

    assert (subscription.plan, subscription.balance, subscription.created_at) == ("free", 3, EPOCH)
    (entry,) = await plushify.entries()
    assert (entry.kind, entry.amount, entry.reason, entry.actor) == (EntryKind.GRANT, 3, "free credits", SYSTEM)


@on_virtual_time
async def test_new_user_in_concurrent_calls() -> None:
    """Concurrent first calls for a user grant the free credits once."""
    plushify = InMemoryPlushify()

    await asyncio.gather(*(plushify.credits.ensure_subscription("ann") for _ in range(50)))

    assert await plushify.amounts() == [3]


@on_virtual_time
async def test_no_free_credits() -> None:
    """Without free credits, a new user has a balance of 0 and no entry."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=0))

    assert await plushify.balance() == 0
    assert await plushify.amounts() == []


@on_virtual_time
async def test_postings() -> None:
    """Every posting changes the balance by its amount, and records its reason and its actor."""
    plushify = InMemoryPlushify()

    balances = [
        (await plushify.credits.add_credits("ann", 10, reason="bought", actor="shop")).subscription.balance,
        (await plushify.credits.consume_credits("ann", 4, reason="a poster")).balance,
        (await plushify.credits.adjust_credits("ann", -2, reason="booked twice", actor="eve")).balance,
        (await plushify.credits.adjust_credits("ann", 1, reason="sorry", actor="eve")).balance,
    ]

    assert balances == [13, 9, 7, 8]
    assert [(entry.kind, entry.amount, entry.reason, entry.actor) for entry in await plushify.entries()] == [
        (EntryKind.ADJUST, 1, "sorry", "eve"),
        (EntryKind.ADJUST, -2, "booked twice", "eve"),
        (EntryKind.CONSUME, -4, "a poster", SYSTEM),
        (EntryKind.GRANT, 10, "bought", "shop"),
        (EntryKind.GRANT, 3, "free credits", SYSTEM),
    ]


@on_virtual_time
async def test_postings_that_exceed_the_balance() -> None:
    """A posting that exceeds the balance is refused, and the new subscription is rolled back."""
    plushify = InMemoryPlushify()

    with pytest.raises(InsufficientCredits) as consumption:
        await plushify.credits.consume_credits("ann", 4, reason="a poster")
    with pytest.raises(InsufficientCredits) as adjustment:
        await plushify.credits.adjust_credits("ann", -4, reason="correction", actor="eve")

    assert (consumption.value.balance, adjustment.value.balance) == (3, 3)
    assert await plushify.amounts() == []
    assert await plushify.balance() == 3


@pytest.mark.parametrize("amount", [0, -1])
@on_virtual_time
async def test_invalid_amounts(amount: int) -> None:
    """Grants and consumption are at least one credit, and an adjustment is not 0."""
    plushify = InMemoryPlushify()

    for posting in (
        plushify.credits.add_credits("ann", amount, reason="gift"),
        plushify.credits.consume_credits("ann", amount, reason="a poster"),
        plushify.credits.adjust_credits("ann", 0, reason="nothing", actor="eve"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await posting
        assert caught.value.reason is Reason.INVALID_CREDITS
    assert await plushify.amounts() == []


@pytest.mark.parametrize(("reason", "actor"), [("", "eve"), (" ", "eve"), ("gift", ""), ("gift", "\t")])
@on_virtual_time
async def test_blank_reason_or_actor(reason: str, actor: str) -> None:
    """A posting without a reason or an actor is refused."""
    plushify = InMemoryPlushify()

    with pytest.raises(InvalidInput):
        await plushify.credits.add_credits("ann", 1, reason=reason, actor=actor)
    assert await plushify.amounts() == []


@on_virtual_time
async def test_statement() -> None:
    """The pages of a statement list every entry once, newest first, and add up to the balance."""
    plushify = InMemoryPlushify()
    for amount in range(1, 7):
        await plushify.credits.add_credits("ann", amount, reason="gift")
    await plushify.credits.add_credits("bob", 100, reason="gift")

    amounts, cursor, pages = [], None, 0
    while cursor is not None or pages == 0:
        page = await plushify.credits.statement("ann", cursor=cursor, limit=3)
        amounts += [entry.amount for entry in page.items]
        cursor, pages = page.next_cursor, pages + 1

    assert amounts == [6, 5, 4, 3, 2, 1, 3]
    assert pages == math.ceil(len(amounts) / 3)
    assert await plushify.balance() == sum(amounts)


@on_virtual_time
async def test_statement_of_a_new_user() -> None:
    """The first statement of a new user lists the free credits."""
    plushify = InMemoryPlushify()

    assert [entry.amount for entry in (await plushify.credits.statement("ann")).items] == [3]


@pytest.mark.parametrize("limit", [0, 101])
@on_virtual_time
async def test_invalid_page_size(limit: int) -> None:
    """A page with too few or too many entries is refused."""
    with pytest.raises(InvalidInput):
        await InMemoryPlushify().credits.statement("ann", limit=limit)


@on_virtual_time
async def test_posting_that_cannot_be_committed() -> None:
    """A posting whose commit fails changes nothing."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    store.refusals = 1

    with pytest.raises(ConnectionError):
        await plushify.credits.add_credits("ann", 5, reason="gift")

    assert await plushify.amounts() == []


@pytest.mark.parametrize("amount", [101, -101, 2**63])
@on_virtual_time
async def test_posting_over_the_limit(amount: int) -> None:
    """A posting of more credits than the limit is refused, also if no database could store the number."""
    plushify = InMemoryPlushify(limits=Limits(max_posting_credits=100))

    with pytest.raises(InvalidInput, match="At most 100") as caught:
        await plushify.credits.adjust_credits("ann", amount, reason="slip", actor="eve")

    assert caught.value.reason is Reason.INVALID_CREDITS
    assert await plushify.amounts() == []
