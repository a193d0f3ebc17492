"""What a submission takes, and what it does not."""

import asyncio
from datetime import timedelta

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_core import (
    EntryKind,
    InsufficientCredits,
    InvalidInput,
    Limits,
    NotFound,
    PlushifyError,
    RateLimited,
    Reason,
    Status,
)
from tests.broken import BrokenBlobs, BrokenStore
from tests.in_memory import OTHER_PHOTO, PHOTO, InMemoryPlushify
from tests.virtual_time import EPOCH, on_virtual_time


@on_virtual_time
async def test_submission() -> None:
    """The price is taken, the row added and the photo stored; nobody has called the model yet."""
    plushify = InMemoryPlushify()

    generation = await plushify.submit(key="k")

    assert generation == await plushify.row(generation.id)
    assert (generation.status, generation.credits_cost, generation.idempotency_key) == (Status.PENDING, 1, "k")
    assert generation.deadline_at == EPOCH + timedelta(seconds=60)
    assert generation.lease_until == EPOCH + timedelta(seconds=20)
    assert generation.original is not None
    assert plushify.blobs.blobs[generation.original.key] == (PHOTO, "image/x-portable-pixmap")
    assert [(entry.kind, entry.amount) for entry in await plushify.entries()] == [
        (EntryKind.CONSUME, -1),
        (EntryKind.GRANT, 3),
    ]
    assert plushify.model.requests == []


@pytest.mark.parametrize(("quality", "cost"), [("standard", 1), ("high", 2), ("ultra", 4)])
@on_virtual_time
async def test_prices(quality: str, cost: int) -> None:
    """A larger picture takes more credits."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=4))

    generation = await plushify.generate.submit("ann", PHOTO, style="chibi", quality=quality)

    assert (generation.credits_cost, await plushify.balance()) == (cost, 4 - cost)


async def refusal(
    plushify: InMemoryPlushify,
    photo: bytes = PHOTO,
    *,
    style: str = "kawaii",
    quality: str = "standard",
    key: str | None = None,
) -> PlushifyError:
    """The error of a submission, which has moved nothing."""
    before = await plushify.amounts()
    with pytest.raises(PlushifyError) as caught:
        await plushify.generate.submit("ann", photo, style=style, quality=quality, idempotency_key=key)
    assert await plushify.amounts() == before
    assert plushify.blobs.blobs == {}
    return caught.value


@pytest.mark.parametrize(
    ("photo", "reason"),
    [
        (b"", Reason.IMAGE_EMPTY),
        (b"hello", Reason.UNSUPPORTED_IMAGE_FORMAT),
        (PHOTO[:-1], Reason.IMAGE_CORRUPT),
        (PHOTO + PHOTO, Reason.IMAGE_ANIMATED),
        (b"P6\n1 1\n255\n123", Reason.IMAGE_TOO_SMALL),
        (b"P6\n60000 60000\n255\n", Reason.IMAGE_TOO_MANY_PIXELS),
        (PHOTO + bytes(101), Reason.IMAGE_TOO_LARGE),
    ],
)
@on_virtual_time
async def test_bad_photos(photo: bytes, reason: Reason) -> None:
    """A photo that cannot be used costs nothing, and the user is told what is wrong with it."""
    error = await refusal(InMemoryPlushify(limits=Limits(max_upload_bytes=100)), photo)

    assert (type(error), error.reason, error.retryable) == (InvalidInput, reason, False)


@on_virtual_time
async def test_the_size_limit_is_named() -> None:
    """Who sends too much is told how much is too much."""
    error = await refusal(InMemoryPlushify(), bytes(10 * 1024**2 + 1))

    assert error.message == "The file is larger than 10 MB. Choose a smaller photo."


@on_virtual_time
async def test_bad_choices() -> None:
    """What is not for sale cannot be bought, nor what the model cannot draw."""
    plushify = InMemoryPlushify(model=MemoryImageModel(largest_side_px=1024))

    reasons = [
        (await refusal(plushify, style="marble")).reason,
        (await refusal(plushify, quality="8k")).reason,
        (await refusal(plushify, quality="ultra")).reason,
    ]

    assert reasons == [Reason.UNKNOWN_STYLE, Reason.UNKNOWN_QUALITY, Reason.QUALITY_UNAVAILABLE]


@pytest.mark.parametrize("key", ["", "a b", "ключ", "tab\t", "x" * 256])
@on_virtual_time
async def test_bad_keys(key: str) -> None:
    """An idempotency key is short and visible."""
    assert (await refusal(InMemoryPlushify(), key=key)).reason is Reason.IDEMPOTENCY_KEY_INVALID


@on_virtual_time
async def test_too_few_credits() -> None:
    """Who cannot pay is told the balance, and pays nothing."""
    error = await refusal(InMemoryPlushify(), quality="ultra")

    assert (type(error), error.balance) == (InsufficientCredits, 3)


@on_virtual_time
async def test_one_credit_and_a_hundred_submissions() -> None:
    """Of a hundred submissions in parallel, one credit pays for one."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=1))

    results = await asyncio.gather(*(plushify.submit() for _ in range(100)), return_exceptions=True)

    assert sum(isinstance(result, InsufficientCredits) for result in results) == 99
    assert await plushify.amounts() == [1, -1]


@on_virtual_time
async def test_too_many_in_flight() -> None:
    """A user waits for their plushies before they start more; what is refused is not paid."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=10, max_in_flight_per_user=2))
    running = [await plushify.submit(), await plushify.submit()]

    with pytest.raises(RateLimited) as caught:
        await plushify.submit()
    assert (caught.value.reason, caught.value.retry_after_s) == (Reason.TOO_MANY_IN_FLIGHT, 10)
    assert await plushify.balance() == 8
    await plushify.submit("bob")
    await plushify.generate.run(running[0].id)
    await plushify.submit()


@on_virtual_time
async def test_replay() -> None:
    """The same request with the same key gives the same generation, as it stands, and takes nothing."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit(key="k")

    assert await plushify.submit(key="k") == generation
    succeeded = await plushify.generate.run(generation.id)
    assert await plushify.submit(key="k") == succeeded
    assert await plushify.balance() == 2


@on_virtual_time
async def test_replay_of_a_failure() -> None:
    """A replay does not try again: who wants that uses a new key."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.refused = {"put original"}
    failed = await plushify.submit(key="k")
    blobs.refused = set()

    assert await plushify.submit(key="k") == failed
    assert (await plushify.submit(key="another")).status is Status.PENDING


@on_virtual_time
async def test_replays_in_parallel() -> None:
    """Fifty requests with one key, all at once: one generation, one charge."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"put original": 1}

    generations = await asyncio.gather(*(plushify.submit(key="k") for _ in range(50)))

    assert len({generation.id for generation in generations}) == 1
    assert await plushify.amounts() == [3, -1]
    assert len(blobs.blobs) == 1


@on_virtual_time
async def test_keys_are_the_users_own() -> None:
    """Two users may use the same key."""
    plushify = InMemoryPlushify()

    ann, bob = await plushify.submit("ann", key="k"), await plushify.submit("bob", key="k")

    assert ann.id != bob.id


@pytest.mark.parametrize(
    ("photo", "style", "quality"),
    [(OTHER_PHOTO, "kawaii", "standard"), (PHOTO, "chibi", "standard"), (PHOTO, "kawaii", "high")],
)
@on_virtual_time
async def test_key_reuse(photo: bytes, style: str, quality: str) -> None:
    """The same key with another request is a mistake of the caller's, and takes nothing."""
    plushify = InMemoryPlushify()
    await plushify.submit(key="k")

    with pytest.raises(InvalidInput) as caught:
        await plushify.generate.submit("ann", photo, style=style, quality=quality, idempotency_key="k")

    assert caught.value.reason is Reason.IDEMPOTENCY_KEY_REUSED
    assert await plushify.balance() == 2


@on_virtual_time
async def test_replay_of_what_was_deleted() -> None:
    """What its user has deleted is not found by its key, and not made again."""
    plushify = InMemoryPlushify()
    generation = await plushify.make(key="k")
    await plushify.gallery.delete("ann", generation.id)

    with pytest.raises(NotFound):
        await plushify.submit(key="k")
    assert await plushify.balance() == 2


@on_virtual_time
async def test_photo_that_cannot_be_stored() -> None:
    """No storage, no generation: it fails with a refund, and refers to no photo."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.refused = {"put original"}

    failed = await plushify.submit()

    assert failed.failure is not None
    assert (failed.status, failed.failure.reason) == (Status.FAILED, Reason.STORAGE_UNAVAILABLE)
    assert (failed.original, blobs.blobs) == (None, {})
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_photo_that_takes_too_long_to_store() -> None:
    """A storage that never answers holds a submission only as long as nobody else may take it over."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"put original": 3600}

    failed = await plushify.submit()

    assert failed.failure is not None
    assert failed.failure.reason is Reason.STORAGE_UNAVAILABLE
    assert plushify.clock() == EPOCH + timedelta(seconds=20)
    assert await plushify.balance() == 3


@on_virtual_time
async def test_lease_that_is_over_before_the_photo() -> None:
    """A submission that comes to its photo when others may have given it up does not begin to store it."""
    begun: list[str] = []

    class Watched(BrokenBlobs):
        async def put(self, key: str, data: bytes, *, media_type: str) -> None:
            """Store it, as soon as somebody asks."""
            begun.append(key)
            await super().put(key, data, media_type=media_type)

    plushify = InMemoryPlushify(blobs=Watched(), store=(store := BrokenStore()))
    store.commit_delay_s = 25

    failed = await plushify.submit()

    assert (failed.status, begun) == (Status.FAILED, [])
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_photo_that_is_stored_too_late() -> None:
    """A photo that arrives after somebody else has given its generation up is removed."""

    class Stubborn(BrokenBlobs):
        async def put(self, key: str, data: bytes, *, media_type: str) -> None:
            """Store it in the end, cancelled or not."""
            try:
                await asyncio.sleep(25)
            except asyncio.CancelledError:
                await asyncio.sleep(5)
            await super().put(key, data, media_type=media_type)

    plushify = InMemoryPlushify(blobs=(blobs := Stubborn()))
    submission = asyncio.ensure_future(plushify.submit())
    await asyncio.sleep(21)
    await plushify.sweep()

    failed = await submission

    assert failed.failure is not None
    assert failed.failure.reason is Reason.INTERRUPTED
    assert blobs.blobs == {}
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_cancelled_while_it_pays() -> None:
    """A submission that is cancelled when it has begun to pay gets its credits back."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"put original": 2}
    submission = asyncio.ensure_future(plushify.submit())
    await asyncio.sleep(1)

    submission.cancel()
    await asyncio.wait({submission})

    assert submission.cancelled()
    assert await plushify.amounts() == [3, -1, 1]
    assert blobs.blobs == {}


@on_virtual_time
async def test_cancelled_replay() -> None:
    """Whoever cancels a replay does not cancel the generation of the first request."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"put original": 2}
    first = asyncio.ensure_future(plushify.submit(key="k"))
    replay = asyncio.ensure_future(plushify.submit(key="k"))
    await asyncio.sleep(1)

    replay.cancel()
    generation = await first

    assert generation.status is Status.PENDING
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_commit_that_fails() -> None:
    """When the payment cannot be committed, nothing is taken and nothing stored."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    store.refusals = 1

    with pytest.raises(ConnectionError):
        await plushify.submit()

    assert await plushify.amounts() == []
    assert plushify.blobs.blobs == {}


@on_virtual_time
async def test_commit_whose_answer_is_lost() -> None:
    """A payment of which the caller never learned is refunded by a sweep: there is no photo to draw from."""
    plushify = InMemoryPlushify(store=(store := BrokenStore()))
    store.lost_answers = 1
    with pytest.raises(ConnectionError):
        await plushify.submit()

    assert await plushify.amounts() == [3, -1]
    await asyncio.sleep(20)
    await plushify.sweep()
    assert await plushify.amounts() == [3, -1, 1]


@on_virtual_time
async def test_who_cannot_pay_costs_no_work() -> None:
    """Without credits, or with too much in flight, the photo is not even decoded."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=1, max_in_flight_per_user=1))
    await plushify.submit()
    with pytest.raises(InsufficientCredits):
        await plushify.submit(photo=b"no photo")
    await plushify.credits.add_credits("ann", 5, reason="gift")
    with pytest.raises(RateLimited):
        await plushify.submit(photo=b"no photo")
    with pytest.raises(InvalidInput):
        await plushify.submit("ben", photo=b"no photo")


@on_virtual_time
async def test_a_request_sent_twice_at_once_with_the_last_credit() -> None:
    """Of two at the same time the one that comes second is answered with the first's generation, not refused."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=1))
    first, second = await asyncio.gather(plushify.submit(key="once"), plushify.submit(key="once"))
    assert first.id == second.id
    assert await plushify.amounts() == [1, -1]
    assert await plushify.generate.has_key("ann", "once")
    assert not await plushify.generate.has_key("ben", "once")
