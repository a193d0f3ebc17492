"""Idempotency keys: a repeated request returns the same generation and is charged once."""

import asyncio

import pytest

from plushify_adapters.memory import MemoryImageModel
from plushify_adapters.memory._generations import MemoryGenerations
from plushify_core import Generation, InvalidInput, Limits, NotFound, Reason, Status
from tests.broken import BrokenBlobs
from tests.in_memory import OTHER_PHOTO, PHOTO, InMemoryPlushify
from tests.virtual_time import on_virtual_time


@on_virtual_time
async def test_replay() -> None:
    """The same request with the same key returns the same generation in its current status, and is not charged."""
    plushify = InMemoryPlushify()
    generation = await plushify.submit(key="k")

    assert await plushify.submit(key="k") == generation
    succeeded = await plushify.generate.run(generation.id)
    assert await plushify.submit(key="k") == succeeded
    assert await plushify.balance() == 2


@on_virtual_time
async def test_replay_of_a_failure() -> None:
    """A replay of a failed generation returns the failure. Only a new key starts a new generation."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.refused = {"put original"}
    failed = await plushify.submit(key="k")
    blobs.refused = set()

    assert await plushify.submit(key="k") == failed
    assert (await plushify.submit(key="another")).status is Status.PENDING


@on_virtual_time
async def test_replay_of_a_deleted_generation() -> None:
    """A replay of a deleted generation is not found, and makes no new one."""
    plushify = InMemoryPlushify()
    generation = await plushify.make(key="k")
    await plushify.gallery.delete("ann", generation.id)

    with pytest.raises(NotFound) as caught:
        await plushify.submit(key="k")
    assert caught.value.charged is True
    assert await plushify.balance() == 2

    await plushify.credits.refund_generation("ann", generation.id, reason="blurred", actor="eve")
    with pytest.raises(NotFound) as caught:
        await plushify.submit(key="k")
    assert caught.value.charged is False


@on_virtual_time
async def test_replay_during_a_purge(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the earlier generation is purged while a replay is being refused, it is not known whether it was charged."""

    async def key_is_taken(self: MemoryGenerations, generation: Generation) -> bool:
        return False

    plushify = InMemoryPlushify()
    monkeypatch.setattr(MemoryGenerations, "add", key_is_taken)

    with pytest.raises(NotFound) as caught:
        await plushify.submit(key="k")

    assert caught.value.charged is None
    assert await plushify.entries() == []


@on_virtual_time
async def test_concurrent_submissions() -> None:
    """Fifty concurrent submissions with one key make one generation and one charge."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()))
    blobs.delays_s = {"put original": 1}

    generations = await asyncio.gather(*(plushify.submit(key="k") for _ in range(50)))

    assert len({generation.id for generation in generations}) == 1
    assert await plushify.amounts() == [3, -1]
    assert len(blobs.blobs) == 1


@on_virtual_time
async def test_concurrent_generations() -> None:
    """Fifty concurrent requests with one key, sent while the photo is being stored, make one picture."""
    plushify = InMemoryPlushify(blobs=(blobs := BrokenBlobs()), model=MemoryImageModel(delay_s=1))
    blobs.delays_s = {"put original": 1}

    generations = await asyncio.gather(*(plushify.make(key="k") for _ in range(50)))

    assert len({generation.id for generation in generations}) == 1
    assert sum(generation.status is Status.SUCCEEDED for generation in generations) == 1
    assert len(plushify.model.requests) == 1
    assert await plushify.amounts() == [3, -1]


@on_virtual_time
async def test_concurrent_submissions_with_the_last_credit() -> None:
    """If the first of two concurrent submissions takes the last credit, the second returns its generation."""
    plushify = InMemoryPlushify(limits=Limits(free_credits=1))

    first, second = await asyncio.gather(plushify.submit(key="once"), plushify.submit(key="once"))

    assert first.id == second.id
    assert await plushify.amounts() == [1, -1]
    assert await plushify.generate.has_key("ann", "once")
    assert not await plushify.generate.has_key("ben", "once")


@on_virtual_time
async def test_keys_belong_to_one_user() -> None:
    """Two users may use the same key for different generations."""
    plushify = InMemoryPlushify()

    ann, bob = await plushify.submit("ann", key="k"), await plushify.submit("bob", key="k")

    assert ann.id != bob.id


@pytest.mark.parametrize(
    ("photo", "style", "quality"),
    [(OTHER_PHOTO, "kawaii", "standard"), (PHOTO, "chibi", "standard"), (PHOTO, "kawaii", "high")],
    ids=["photo", "style", "quality"],
)
@on_virtual_time
async def test_key_of_another_request(photo: bytes, style: str, quality: str) -> None:
    """The same key with another photo, style or quality is refused, and nothing is charged."""
    plushify = InMemoryPlushify()
    await plushify.submit(key="k")

    with pytest.raises(InvalidInput) as caught:
        await plushify.generate.submit("ann", photo, style=style, quality=quality, idempotency_key="k")

    assert caught.value.reason is Reason.IDEMPOTENCY_KEY_REUSED
    assert await plushify.balance() == 2
