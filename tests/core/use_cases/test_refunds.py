"""Refunds by an operator: a picture is refunded once."""

import asyncio
from uuid import UUID

import pytest

from plushify_core import (
    SYSTEM,
    Billing,
    EntryKind,
    GenerationFailed,
    InvalidInput,
    ModelError,
    NotFound,
    Reason,
)
from plushify_core.ports import BalanceChanged
from tests.broken import BrokenStore
from tests.in_memory import InMemoryPlushify
from tests.virtual_time import on_virtual_time


async def refund(plushify: InMemoryPlushify, generation_id: UUID, user_id: str = "ann", actor: str = "eve") -> bool:
    """Refund a generation, and return whether the refund is new."""
    refunded = await plushify.credits.refund_generation(user_id, generation_id, reason="blurred", actor=actor)
    assert refunded.amount == 1
    assert refunded.subscription.balance == await plushify.balance(user_id)
    return refunded.new


@on_virtual_time
async def test_refund_of_a_success() -> None:
    """A picture that disappointed is refunded once, with the reason and the person who did it."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    assert await plushify.credits.is_charged(made.id)

    assert [await refund(plushify, made.id), await refund(plushify, made.id, actor="bob")] == [True, False]

    assert await plushify.amounts() == [3, -1, 1]
    entry = (await plushify.entries())[0]
    assert (entry.kind, entry.reason, entry.actor) == (EntryKind.REFUND, "blurred", "eve")
    assert entry.generation_id == made.id
    assert not await plushify.credits.is_charged(made.id)
    assert await plushify.row(made.id) == made


@on_virtual_time
async def test_concurrent_refunds() -> None:
    """Of fifty concurrent refunds of a picture, one is posted."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    assert sorted(await asyncio.gather(*(refund(plushify, made.id) for _ in range(50)))) == [False] * 49 + [True]
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_refund_of_a_failure() -> None:
    """A failed generation was refunded when it failed, so a refund changes nothing."""
    plushify = InMemoryPlushify()
    plushify.model.fail_next(ModelError(Reason.CONTENT_POLICY, "no", retryable=False, billing=Billing.BILLED))
    with pytest.raises(GenerationFailed):
        await plushify.make()
    (_, charge, _) = reversed(await plushify.entries())
    assert charge.generation_id is not None

    assert not await refund(plushify, charge.generation_id)
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_refund_of_an_unfinished_generation() -> None:
    """A generation that is pending or running is not refunded, because it may fail and be refunded then."""
    plushify = InMemoryPlushify()
    plushify.model.delay_s = 5
    generation_id, run = await plushify.start_run(wait_s=1)
    pending = await plushify.submit()

    for unfinished in (generation_id, pending.id):
        with pytest.raises(InvalidInput) as caught:
            await refund(plushify, unfinished)
        assert caught.value.reason is Reason.GENERATION_UNFINISHED

    await run
    assert await plushify.amounts() == [3, -1, -1]


@on_virtual_time
async def test_refund_of_a_deleted_generation() -> None:
    """A deleted picture is refunded, also after its purge: the ledger keeps its price and who paid it."""
    plushify = InMemoryPlushify()
    trashed, purged = await plushify.make(), await plushify.make()
    await plushify.gallery.delete("ann", purged.id)
    await asyncio.sleep(plushify.limits.undo_delete_s)
    await plushify.sweep()
    assert await plushify.stored(purged.id) is None
    await plushify.gallery.delete("ann", trashed.id)

    assert await plushify.credits.payer_of(purged.id) == "ann"
    for deleted in (trashed, purged):
        assert [await refund(plushify, deleted.id), await refund(plushify, deleted.id)] == [True, False]
    assert await plushify.amounts() == [3, -1, -1, 1, 1]


@on_virtual_time
async def test_refund_of_a_generation_that_is_not_theirs() -> None:
    """A generation of another user, before and after its purge, and one that does not exist, are not found."""
    plushify = InMemoryPlushify()
    made, unknown = await plushify.make("bob"), plushify.new_id()

    for generation_id in (made.id, unknown):
        with pytest.raises(NotFound):
            await refund(plushify, generation_id)
    await plushify.gallery.delete("bob", made.id)
    await asyncio.sleep(plushify.limits.undo_delete_s)
    await plushify.sweep()
    with pytest.raises(NotFound):
        await refund(plushify, made.id)
    with pytest.raises(NotFound):
        await plushify.credits.payer_of(unknown)

    assert await plushify.amounts("bob") == [3, -1]


@pytest.mark.parametrize(("reason", "actor"), [(" ", "eve"), ("blurred", ""), ("blurred", SYSTEM)])
@on_virtual_time
async def test_refund_without_a_reason_or_a_person(reason: str, actor: str) -> None:
    """A refund names its reason and who gives it. Only the refunds of failures are made by the system itself."""
    plushify = InMemoryPlushify()
    made = await plushify.make()

    with pytest.raises(InvalidInput):
        await plushify.credits.refund_generation("ann", made.id, reason=reason, actor=actor)

    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_refund_publishes_the_balance() -> None:
    """A refund publishes that the balance has changed."""
    plushify = InMemoryPlushify()
    made = await plushify.make()
    async with plushify.events.subscribe("ann") as events:
        await refund(plushify, made.id)
        assert await anext(events) == BalanceChanged(user_id="ann")


@on_virtual_time
async def test_refund_whose_commit_is_uncertain() -> None:
    """A refund whose commit succeeds without an answer can be repeated."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    made = await plushify.make()
    store.lost_answers = 1
    with pytest.raises(ConnectionError):
        await refund(plushify, made.id)

    assert not await refund(plushify, made.id)
    assert await plushify.amounts() == [3, -1, 1]
