"""Expiry of credits: grants are spent in the order of their expiry, and refunds of expired grants are kept."""

import asyncio
from datetime import timedelta
from random import Random
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from plushify_core import EntryKind, LedgerEntry, Limits, Reason
from plushify_core.domain.grant_expiry import left_of_grants
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import EPOCH, on_virtual_time

DAY_S = 24 * 60 * 60
EXPIRING = Limits(free_credits=3, credits_expire_days=30)
LONG_LEASE = msgspec.structs.replace(EXPIRING, timeout_s=60 * DAY_S, pending_lease_s=40 * DAY_S)
"""Limits under which a generation can be pending for longer than its credits live."""


async def submit_and_withdraw_after_the_expiry(plushify: InMemoryPlushify) -> None:
    """Submit a photo, let the free credits expire, then fail and refund the generation."""
    generation = await plushify.submit()
    await asyncio.sleep(30 * DAY_S)
    await plushify.sweep()
    assert await plushify.balance() == 0
    await plushify.generate._dispatch.withdraw(generation, Reason.INTERRUPTED)


@on_virtual_time
async def test_credits_do_not_expire_by_default() -> None:
    """By default, credits never expire."""
    plushify = InMemoryPlushify()
    await plushify.balance()
    await asyncio.sleep(10_000 * DAY_S)
    assert (await plushify.recover.sweep()).expired == 0
    assert await plushify.balance() == 3


@on_virtual_time
async def test_unspent_credits_expire_once() -> None:
    """At its expiry, the unspent credits of a grant are removed by one entry."""
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
async def test_spends_the_grant_that_expires_first() -> None:
    """Credits are taken from the grant that expires first; the other grant expires at its own time."""
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
    """Credits that are refunded after the expiry of their grant never expire."""
    plushify = InMemoryPlushify(limits=LONG_LEASE)
    await submit_and_withdraw_after_the_expiry(plushify)
    await asyncio.sleep(300 * DAY_S)
    await plushify.sweep()
    assert await plushify.amounts() == [3, -1, -2, 1]


@on_virtual_time
async def test_a_refund_after_the_expiry_of_a_spent_grant_is_kept() -> None:
    """Refunded credits never expire, also if nothing was left of their grant at its expiry."""
    plushify = InMemoryPlushify(limits=msgspec.structs.replace(LONG_LEASE, free_credits=1))
    await submit_and_withdraw_after_the_expiry(plushify)
    await plushify.credits.add_credits("ann", 5, reason="gift")
    await asyncio.sleep(30 * DAY_S)
    await plushify.sweep()
    assert await plushify.amounts() == [1, -1, 1, 5, -5]


@on_virtual_time
async def test_a_refund_by_hand_returns_to_its_grant() -> None:
    """Credits that an operator refunds expire with their grant, and never if it has expired already."""
    plushify = InMemoryPlushify(limits=EXPIRING)
    early, late = await plushify.make(), await plushify.make()
    await plushify.credits.refund_generation("ann", early.id, reason="blurred", actor="eve")
    await asyncio.sleep(30 * DAY_S)
    await plushify.sweep()
    assert await plushify.amounts() == [3, -1, -1, 1, -2]

    await plushify.credits.refund_generation("ann", late.id, reason="blurred", actor="eve")
    await asyncio.sleep(300 * DAY_S)
    await plushify.sweep()
    assert await plushify.amounts() == [3, -1, -1, 1, -2, 1]


@st.composite
def ledgers(draw: st.DrawFn) -> list[LedgerEntry]:
    """Return any valid ledger: grants with and without expiry, spending, refunds, adjustments and expiries."""
    entries: list[LedgerEntry] = []
    refundable: dict[UUID, int] = {}

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
                refundable[generation_id] = amount
            case "refund" if refundable:
                generation_id = draw(st.sampled_from(sorted(refundable)))
                post(EntryKind.REFUND, refundable.pop(generation_id), generation_id=generation_id)
            case "adjust" if balance:
                post(EntryKind.ADJUST, -draw(st.integers(1, balance)))
            case "expire" if due:
                grant = draw(st.sampled_from(due))
                post(EntryKind.ADJUST, -left[grant.id], expires_grant=grant.id)
    return entries


@given(ledgers())
def test_the_credits_left_add_up_to_the_balance(entries: list[LedgerEntry]) -> None:
    """The credits left of a grant are never negative, and those of all grants add up to the balance."""
    left = left_of_grants(entries)
    assert all(amount >= 0 for amount in left.values())
    assert sum(left.values()) == sum(entry.amount for entry in entries)


@given(ledgers())
def test_an_expired_grant_stays_empty(entries: list[LedgerEntry]) -> None:
    """Nothing is left of an expired grant, also after later refunds."""
    left = left_of_grants(entries)
    assert [left[entry.expires_grant] for entry in entries if entry.expires_grant is not None] == [
        0 for entry in entries if entry.expires_grant is not None
    ]


@given(ledgers(), st.randoms(use_true_random=False))
def test_entries_out_of_order(entries: list[LedgerEntry], random: Random) -> None:
    """The credits left add up to the balance also if clocks differ and entries sort before earlier ones."""
    random.shuffle(entries)
    entries.sort(key=lambda entry: entry.expires_at is None)  # days pass before an expiry, so its grant sorts first

    left = left_of_grants(entries)

    assert all(amount >= 0 for amount in left.values())
    assert sum(left.values()) == sum(entry.amount for entry in entries)
