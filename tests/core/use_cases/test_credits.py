"""Credits: balances, statements, and postings that do not belong to a generation."""

import asyncio
import math
from uuid import UUID

import pytest

from plushify_core import (
    SYSTEM,
    Billing,
    EntryKind,
    GenerationFailed,
    InsufficientCredits,
    InvalidInput,
    Limits,
    ModelError,
    NotFound,
    Reason,
)
from plushify_core.ports import BalanceChanged
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


async def refund(plushify: InMemoryPlushify, generation_id: UUID, user_id: str = "ann", actor: str = "eve") -> bool:
    """Give the price of a generation back, and return whether that is new."""
    refunded = await plushify.credits.refund_generation(user_id, generation_id, reason="blurred", actor=actor)
    assert refunded.amount == 1
    assert refunded.subscription.balance == await plushify.balance(user_id)
    return refunded.new


@on_virtual_time
async def test_refund_of_a_success() -> None:
    """The price of a picture that disappointed is given back once, with its reason and the person who did it."""
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
