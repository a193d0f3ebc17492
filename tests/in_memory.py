"""Plushify on the in-memory adapters and on virtual time, with shortcuts for tests."""

import itertools
from collections.abc import Iterator, Sequence
from uuid import UUID

from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryImageCodec, MemoryImageModel, MemoryStore
from plushify_core import Generation, LedgerEntry, Limits, ModelCall, Plushify
from plushify_core.ports import Clock
from tests import virtual_time

PHOTO = b"P6\n4 2\n255\n" + bytes(range(24))
OTHER_PHOTO = b"P6\n4 2\n255\n" + bytes(range(100, 124))
PICTURES = ("generated", "original", "thumbnail")


class Ids:
    """Ids in the form of UUID version 7, ordered by time and then by a counter, the same in every run.

    Processes that share the counter never make the same id.
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
        """Submit a photo in one style and the lowest quality."""
        return await self.generate.submit(user_id, photo, style="kawaii", quality="standard", idempotency_key=key)

    async def make(self, user_id: str = "ann", photo: bytes = PHOTO, *, key: str | None = None) -> Generation:
        """Submit a photo in one style and the lowest quality, and run its generation."""
        return await self.generate.generate(user_id, photo, style="kawaii", quality="standard", idempotency_key=key)

    async def sweep(self) -> None:
        """Sweep, and run the reclaimed generations."""
        for generation_id in (await self.recover.sweep()).to_run:
            await self.generate.run(generation_id)

    async def stored(self, generation_id: UUID) -> Generation | None:
        """Return the row, also if it is in the trash."""
        async with self.store.begin() as tx:
            return await tx.generations.get(generation_id)

    async def row(self, generation_id: UUID) -> Generation:
        """Return the row, which must exist."""
        stored = await self.stored(generation_id)
        assert stored is not None, f"generation {generation_id} has no row"
        return stored

    async def call(self, generation_id: UUID) -> ModelCall | None:
        """Return the recorded model call."""
        async with self.store.begin() as tx:
            return await tx.model_calls.get(generation_id)

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
        """Return the last parts of the keys of the blobs of a generation."""
        keys = [key async for key in self.blobs.keys(f"generations/{generation_id}/")]
        return sorted(key.rsplit("/", 1)[1] for key in keys)


class InMemoryPlushify(PlushifyForTests):
    """Plushify on the in-memory adapters, or on variants of them."""

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
            store=store or MemoryStore(),
            blobs=blobs or MemoryBlobStore(),
            codec=MemoryImageCodec(),
            model=model or MemoryImageModel(),
            events=MemoryEvents(),
            clock=clock,
            new_id=Ids(clock),
            limits=limits or Limits(),
        )

    def another_process(self, model: MemoryImageModel | None = None, limits: Limits | None = None) -> PlushifyForTests:
        """Return another process over the same store and blobs."""
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
