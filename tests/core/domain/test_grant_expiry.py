"""Credits that expire: the earliest first, only what is left, and never what a refund brings back."""

import asyncio
from datetime import timedelta
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from plushify_core import EntryKind, LedgerEntry, Limits, Reason
from plushify_core.domain.grant_expiry import left_of_grants
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import EPOCH, on_virtual_time

DAY_S = 24 * 60 * 60
EXPIRING = Limits(free_credits=3, credits_expire_days=30)


@on_virtual_time
async def test_credits_do_not_expire_by_default() -> None:
    """A balance stands as long as nobody spends it."""
    plushify = InMemoryPlushify()
    await plushify.balance()
    await asyncio.sleep(10_000 * DAY_S)
    assert (await plushify.recover.sweep()).expired == 0
    assert await plushify.balance() == 3


@on_virtual_time
async def test_what_is_left_expires_once() -> None:
    """When its time is over, the sweep takes back what is left of a grant; the statement says so, once."""
    plushify = InMemoryPlushify(limits=EXPIRING)
    await plushify.make()
    await asyncio.sleep(29 * DAY_S)
    assert (await plushify.recover.sweep()).expired == 0
    await asyncio.sleep(DAY_S)
    assert (await plushify.recover.sweep()).expired == 1
    assert (await plushify.recover.sweep()).expired == 0
    assert await plushify.amounts() == [3, -1, -2]
    assert (await plushify.entries())[0].reason == "expired"
    assert await plushify.balance() == 0


@on_virtual_time
async def test_the_earliest_expiring_are_spent_first() -> None:
    """Of two grants, spending takes from the one that is over sooner; the other keeps its own time."""
    plushify = InMemoryPlushify(limits=EXPIRING)
    await plushify.balance()
    await asyncio.sleep(10 * DAY_S)
    await plushify.credits.add_credits("ann", 5, reason="gift")
    await plushify.make()
    await asyncio.sleep(20 * DAY_S)
    await plushify.sweep()
    assert await plushify.balance() == 5
    await asyncio.sleep(10 * DAY_S)
    await plushify.sweep()
    assert await plushify.balance() == 0
    assert await plushify.amounts() == [3, 5, -1, -2, -5]


@on_virtual_time
async def test_a_refund_of_expired_credits_is_kept() -> None:
    """What a failed picture gives back after its grant has expired stays with the user."""
    plushify = InMemoryPlushify(
        limits=Limits(free_credits=3, credits_expire_days=30, timeout_s=60 * DAY_S, pending_lease_s=40 * DAY_S)
    )
    generation = await plushify.submit()
    await asyncio.sleep(30 * DAY_S)
    await plushify.sweep()
    assert await plushify.balance() == 0
    await plushify.generate._dispatch.withdraw(generation, Reason.INTERRUPTED)
    await asyncio.sleep(300 * DAY_S)
    await plushify.sweep()
    assert await plushify.amounts() == [3, -1, -2, 1]


@on_virtual_time
async def test_a_refund_after_a_grant_that_was_spent_up_is_kept() -> None:
    """Nothing was left to take back when the grant was over; what is refunded afterwards stays, as after any other."""
    plushify = InMemoryPlushify(
        limits=Limits(free_credits=1, credits_expire_days=30, timeout_s=60 * DAY_S, pending_lease_s=40 * DAY_S)
    )
    generation = await plushify.submit()
    await asyncio.sleep(30 * DAY_S)
    await plushify.sweep()
    await plushify.generate._dispatch.withdraw(generation, Reason.INTERRUPTED)
    await plushify.credits.add_credits("ann", 5, reason="gift")
    await asyncio.sleep(30 * DAY_S)
    await plushify.sweep()
    assert await plushify.amounts() == [1, -1, 1, 5, -5]


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerEntry]:
    """Any course that a ledger can take: grants with and without expiry, spending, refunds, adjustments, expiries."""
    entries: list[LedgerEntry] = []
    open_calls: dict[UUID, int] = {}

    def post(kind: EntryKind, amount: int, **fields: object) -> None:
        entries.append(
            LedgerEntry(
                id=UUID(int=len(entries) + 1),
                user_id="ann",
                kind=kind,
                amount=amount,
                reason="any",
                actor="any",
                created_at=EPOCH,
                **fields,
            )
        )

    for step in range(draw(st.integers(1, 12))):
        balance = sum(entry.amount for entry in entries)
        left = left_of_grants(entries)
        due = [entry for entry in entries if entry.expires_at is not None and left[entry.id]]
        match draw(st.sampled_from(["grant", "expiring", "spend", "refund", "adjust", "expire"])):
            case "grant":
                post(EntryKind.GRANT, draw(st.integers(1, 5)))
            case "expiring":
                days = timedelta(days=draw(st.integers(1, 9)))
                post(EntryKind.GRANT, draw(st.integers(1, 5)), expires_at=EPOCH + days)
            case "spend" if balance:
                generation_id, amount = UUID(int=1000 + step), draw(st.integers(1, balance))
                post(EntryKind.CONSUME, -amount, generation_id=generation_id)
                open_calls[generation_id] = amount
            case "refund" if open_calls:
                generation_id = draw(st.sampled_from(sorted(open_calls)))
                post(EntryKind.REFUND, open_calls.pop(generation_id), generation_id=generation_id)
            case "adjust" if balance:
                post(EntryKind.ADJUST, -draw(st.integers(1, balance)))
            case "expire" if due:
                grant = draw(st.sampled_from(due))
                post(EntryKind.ADJUST, -left[grant.id], expires_grant=grant.id)
    return entries


@given(ledgers())
def test_what_is_left_of_all_grants_is_the_balance(entries: list[LedgerEntry]) -> None:
    """Whatever happened, nothing is left below zero, and all that is left together is the balance."""
    left = left_of_grants(entries)
    assert all(amount >= 0 for amount in left.values())
    assert sum(left.values()) == sum(entry.amount for entry in entries)


@given(ledgers())
def test_what_has_expired_stays_so(entries: list[LedgerEntry]) -> None:
    """Nothing is left of a grant that was expired, whatever is refunded later."""
    left = left_of_grants(entries)
    assert [left[entry.expires_grant] for entry in entries if entry.expires_grant is not None] == [
        0 for entry in entries if entry.expires_grant is not None
    ]


@given(ledgers(), st.randoms(use_true_random=False))
def test_machines_whose_clocks_differ(entries: list[LedgerEntry], random: Random) -> None:
    """Entries may stand ahead of those that were posted before them: all that is left is still the balance."""
    random.shuffle(entries)
    entries.sort(key=lambda entry: entry.expires_at is None)  # days pass between a grant and its expiry

    left = left_of_grants(entries)

    assert all(amount >= 0 for amount in left.values())
    assert sum(left.values()) == sum(entry.amount for entry in entries)
