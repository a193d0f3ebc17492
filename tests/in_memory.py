"""Plushify on in-memory adapters and virtual time, with shortcuts for tests."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from uuid import UUID

from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryImageCodec, MemoryImageModel, MemoryStore
from plushify_core import Generation, LedgerEntry, Limits, ModelCall, Plushify, Reason
from plushify_core.ports import Clock
from tests import virtual_time

PHOTO = b"P6\n4 2\n255\n" + bytes(range(24))
OTHER_PHOTO = b"P6\n4 2\n255\n" + bytes(range(100, 124))
PICTURES = ("generated", "original", "thumbnail")


def failure_reason(generation: Generation) -> Reason:
    """Return the reason of a generation that must have failed."""
    assert generation.failure is not None, f"generation {generation.id} is {generation.status}"
    return generation.failure.reason


class Ids:
    """Ids in the form of UUID version 7 that are the same in every run, ordered by time and then by a counter.

    Args:
        clock: time of the ids.
        numbers: counter. Processes that share it make different ids.
    """

    def __init__(self, clock: Clock = virtual_time.now, numbers: Iterator[int] | None = None) -> None:
        self._clock = clock
        self._numbers = numbers or itertools.count()

    def __call__(self) -> UUID:
        """Return the next id."""
        milliseconds = int(self._clock().timestamp() * 1000)
        return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | next(self._numbers))


class PlushifyForTests(Plushify):
    """Plushify on any adapters, with shortcuts for tests."""

    async def submit(self, user_id: str = "ann", photo: bytes = PHOTO, *, key: str | None = None) -> Generation:
        """Submit a photo in the style `kawaii` and the quality `standard`."""
        return await self.generate.submit(user_id, photo, style="kawaii", quality="standard", idempotency_key=key)

    async def make(self, user_id: str = "ann", photo: bytes = PHOTO, *, key: str | None = None) -> Generation:
        """Submit a photo as `submit` does, and run its generation."""
        return await self.generate.generate(user_id, photo, style="kawaii", quality="standard", idempotency_key=key)

    async def submit_and_run(self) -> Generation:
        """Submit a photo, run its generation, and return it whether it succeeded or failed."""
        return await self.generate.run((await self.submit()).id)

    async def start_run(self, *, wait_s: float) -> tuple[UUID, asyncio.Task[Generation]]:
        """Submit a photo, start the run of its generation, and wait `wait_s` seconds.

        Returns:
            The id of the generation, and the task of its run.
        """
        generation_id = (await self.submit()).id
        run = asyncio.create_task(self.generate.run(generation_id))
        await asyncio.sleep(wait_s)
        return generation_id, run

    async def sweep(self) -> None:
        """Sweep, and run the reclaimed generations."""
        for generation_id in (await self.recover.sweep()).to_run:
            await self.generate.run(generation_id)

    async def stored(self, generation_id: UUID) -> Generation | None:
        """Return the row if it exists, also if the generation is in the trash."""
        async with self.store.begin() as tx:
            return await tx.generations.get(generation_id)

    async def row(self, generation_id: UUID) -> Generation:
        """Return the row, which must exist."""
        stored = await self.stored(generation_id)
        assert stored is not None, f"generation {generation_id} has no row"
        return stored

    async def call(self, generation_id: UUID) -> ModelCall | None:
        """Return the record of the model call if the model was called."""
        async with self.store.begin() as tx:
            return await tx.model_calls.get(generation_id)

    async def recorded_call(self, generation_id: UUID) -> ModelCall:
        """Return the record of the model call, which must exist."""
        call = await self.call(generation_id)
        assert call is not None, f"generation {generation_id} has no model call"
        return call

    async def entries(self, user_id: str = "ann") -> Sequence[LedgerEntry]:
        """Return the ledger entries of the user, newest first."""
        async with self.store.begin() as tx:
            return await tx.credits.entries(user_id, after=None, limit=1_000)

    async def amounts(self, user_id: str = "ann") -> list[int]:
        """Return the amounts of the ledger entries of the user, oldest first."""
        return [entry.amount for entry in reversed(await self.entries(user_id))]

    async def balance(self, user_id: str = "ann") -> int:
        """Return the balance of the user."""
        return (await self.credits.ensure_subscription(user_id)).balance

    async def pictures_of(self, generation_id: UUID) -> list[str]:
        """Return the names of the stored pictures of a generation, sorted: the last parts of their keys."""
        keys = [key async for key in self.blobs.keys(f"generations/{generation_id}/")]
        return sorted(key.rsplit("/", 1)[1] for key in keys)


class InMemoryPlushify(PlushifyForTests):
    """Plushify on the in-memory adapters, or on subclasses of them."""

    store: MemoryStore
    blobs: MemoryBlobStore
    model: MemoryImageModel

    def __init__(
        self,
        *,
        store: MemoryStore | None = None,
        blobs: MemoryBlobStore | None = None,
        model: MemoryImageModel | None = None,
        clock: Clock = virtual_time.now,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(
            store=store or MemoryStore(clock=clock),
            blobs=blobs or MemoryBlobStore(clock),
            codec=MemoryImageCodec(),
            model=model or MemoryImageModel(),
            events=MemoryEvents(),
            clock=clock,
            new_id=Ids(clock),
            limits=limits or Limits(),
        )

    def another_process(self, model: MemoryImageModel | None = None, limits: Limits | None = None) -> PlushifyForTests:
        """Return another process with the same store and the same blobs."""
        return PlushifyForTests(
            store=self.store,
            blobs=self.blobs,
            codec=self.codec,
            model=model or self.model,
            events=self.events,
            clock=self.clock,
            new_id=self.new_id,
            limits=limits or self.limits,
        )
