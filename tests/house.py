"""A whole Plushify on one desk: every use case on the in-memory adapters, on virtual time."""

import itertools
from collections.abc import Iterator, Sequence
from uuid import UUID

from plushify_adapters.memory import MemoryBlobStore, MemoryEvents, MemoryImageCodec, MemoryImageModel, MemoryStore
from plushify_core import (
    DEFAULT_CATALOG,
    CreditsUseCase,
    GalleryUseCase,
    GenerateUseCase,
    Generation,
    LedgerEntry,
    Limits,
    ModelCall,
    RecoverUseCase,
)
from plushify_core.ports import BlobStore, Clock, Events, ImageModel, NewId, Store
from tests import virtual_time

PHOTO = b"P6\n4 2\n255\n" + bytes(range(24))
OTHER_PHOTO = b"P6\n4 2\n255\n" + bytes(range(100, 124))
PICTURES = ("generated", "original", "thumbnail")


class Ids:
    """Ids in the form of UUID version 7, ordered by time and then by number: the same in every run.

    Processes that share the numbers never make the same id.
    """

    def __init__(self, clock: Clock = virtual_time.now, numbers: Iterator[int] | None = None) -> None:
        self._clock = clock
        self._numbers = numbers or itertools.count()

    def __call__(self) -> UUID:
        """The next id."""
        milliseconds = int(self._clock().timestamp() * 1000)
        return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | next(self._numbers))


class UseCases:
    """All that a replica can do, on any adapters, in the words of the tests."""

    def __init__(
        self,
        *,
        store: Store,
        blobs: BlobStore,
        model: ImageModel,
        events: Events,
        clock: Clock,
        new_id: NewId,
        limits: Limits,
    ) -> None:
        self.store = store
        self.blobs = blobs
        self.model = model
        self.events = events
        self.clock = clock
        self.new_id = new_id
        self.limits = limits
        self.generate = GenerateUseCase(
            store=self.store,
            blobs=self.blobs,
            codec=MemoryImageCodec(),
            model=self.model,
            events=self.events,
            clock=self.clock,
            new_id=self.new_id,
            catalog=DEFAULT_CATALOG,
            limits=self.limits,
        )
        self.gallery = GalleryUseCase(
            store=self.store, blobs=self.blobs, events=self.events, clock=self.clock, limits=self.limits
        )
        self.credits = CreditsUseCase(
            store=self.store, events=self.events, clock=self.clock, new_id=self.new_id, limits=self.limits
        )
        self.recover = RecoverUseCase(
            store=self.store,
            blobs=self.blobs,
            events=self.events,
            clock=self.clock,
            new_id=self.new_id,
            limits=self.limits,
        )

    async def submit(self, user_id: str = "ann", photo: bytes = PHOTO, *, key: str | None = None) -> Generation:
        """Submit in the least style and quality."""
        return await self.generate.submit(user_id, photo, style="kawaii", quality="standard", idempotency_key=key)

    async def make(self, user_id: str = "ann", photo: bytes = PHOTO, *, key: str | None = None) -> Generation:
        """Submit and run, likewise."""
        return await self.generate.generate(user_id, photo, style="kawaii", quality="standard", idempotency_key=key)

    async def sweep(self) -> None:
        """Sweep as a replica does: what is taken over is run."""
        for generation_id in (await self.recover.sweep()).to_run:
            await self.generate.run(generation_id)

    async def stored(self, generation_id: UUID) -> Generation | None:
        """The row, in the trash or not."""
        async with self.store.begin() as tx:
            return await tx.generations.get(generation_id)

    async def row(self, generation_id: UUID) -> Generation:
        """The row, which is there."""
        stored = await self.stored(generation_id)
        assert stored is not None, f"generation {generation_id} has no row"
        return stored

    async def call(self, generation_id: UUID) -> ModelCall | None:
        """The recorded model call."""
        async with self.store.begin() as tx:
            return await tx.model_calls.get(generation_id)

    async def entries(self, user_id: str = "ann") -> Sequence[LedgerEntry]:
        """Everything in the user's ledger, newest first."""
        async with self.store.begin() as tx:
            return await tx.credits.entries(user_id, after=None, limit=1_000)

    async def amounts(self, user_id: str = "ann") -> list[int]:
        """What moved, oldest first."""
        return [entry.amount for entry in reversed(await self.entries(user_id))]

    async def balance(self, user_id: str = "ann") -> int:
        """What the user is told to have."""
        return (await self.credits.ensure_subscription(user_id)).balance

    async def pictures_of(self, generation_id: UUID) -> list[str]:
        """The last parts of the keys of its blobs."""
        keys = [key async for key in self.blobs.keys(f"generations/{generation_id}/")]
        return sorted(key.rsplit("/", 1)[1] for key in keys)


class House(UseCases):
    """The use cases on in-memory adapters where a test can look, or on those that it puts in their place."""

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
            model=model or MemoryImageModel(),
            events=MemoryEvents(),
            clock=clock,
            new_id=Ids(clock),
            limits=limits or Limits(),
        )
