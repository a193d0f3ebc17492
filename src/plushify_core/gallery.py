"""A user's generations: list, look at, delete, bring back."""

from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from uuid import UUID

import msgspec

from plushify_core.errors import InvalidInput, NotFound, Reason
from plushify_core.generation import Generation, StoredImage
from plushify_core.limits import Limits
from plushify_core.ports import BlobStore, Clock, Events, GalleryFilter, Store, Transaction, changes_of


class Rendition(StrEnum):
    """Which picture of a generation."""

    ORIGINAL = "original"
    GENERATED = "generated"
    THUMBNAIL = "thumbnail"


class GalleryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the generations, where the next page begins (None on the last), and how many there are in all."""

    items: Sequence[Generation]
    next_cursor: UUID | None
    total: int


class GalleryUseCase:
    """What a user sees of their generations. Those of others, and deleted ones, do not exist."""

    def __init__(self, *, store: Store, blobs: BlobStore, events: Events, clock: Clock, limits: Limits) -> None:
        self._store = store
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._limits = limits

    async def list(
        self, user_id: str, filter: GalleryFilter, *, cursor: UUID | None = None, limit: int = 20
    ) -> GalleryPage:
        """Up to `limit` of the user's generations, beginning behind `cursor`.

        Raises:
            InvalidInput: `limit` is not between 1 and `max_page_items`.
        """
        self._limits.check_page(limit)
        async with self._store.begin() as tx:
            found = await tx.generations.page(user_id, filter, after=cursor, limit=limit + 1)
            total = await tx.generations.count(user_id, filter)
        items = found[:limit]
        return GalleryPage(items=items, next_cursor=items[-1].id if len(found) > limit else None, total=total)

    async def get(self, user_id: str, generation_id: UUID) -> Generation:
        """The user's generation.

        Raises:
            NotFound: there is none with this id, it is deleted, or it belongs to somebody else.
        """
        async with self._store.begin() as tx:
            generation = await self._owned(tx, user_id, generation_id)
        if generation.deleted_at is not None:
            raise NotFound
        return generation

    async def image(self, user_id: str, generation_id: UUID, rendition: Rendition) -> StoredImage:
        """Where a picture of the user's generation is stored.

        Raises:
            NotFound: as `get`, or the generation has no such picture.
        """
        generation = await self.get(user_id, generation_id)
        images = {
            Rendition.ORIGINAL: generation.original,
            Rendition.GENERATED: generation.generated,
            Rendition.THUMBNAIL: generation.thumbnail,
        }
        image = images[rendition]
        if image is None:
            raise NotFound
        return image

    def read(self, image: StoredImage) -> AsyncIterator[bytes]:
        """The bytes of a stored picture, in chunks."""
        return self._blobs.read(image.key)

    async def url(self, image: StoredImage, *, expires_s: int, download_name: str | None = None) -> str | None:
        """A time-limited address of a stored picture, where the blob store can sign one."""
        return await self._blobs.url(image.key, expires_s=expires_s, download_name=download_name)

    async def delete(self, user_id: str, generation_id: UUID) -> None:
        """Take a finished generation out of the gallery at once. It is erased when the undo window is over.

        Raises:
            NotFound: as `get`.
            InvalidInput: `generation_unfinished`.
        """

        def trash(generation: Generation) -> Generation:
            if generation.deleted_at is not None:
                raise NotFound
            if not generation.finished:
                raise InvalidInput(Reason.GENERATION_UNFINISHED)
            return generation.trashed(at=self._clock())

        await self._change(user_id, generation_id, trash)

    async def restore(self, user_id: str, generation_id: UUID) -> Generation:
        """Bring a deleted generation back, as it was. One that is not deleted stays as it is.

        Raises:
            NotFound: as `get`, or it is erased.
            InvalidInput: `undo_window_over`.
        """

        def restore(generation: Generation) -> Generation:
            if generation.deleted_at is None:
                return generation
            if generation.purging or self._clock() >= generation.deleted_at + self._limits.undo_window:
                raise InvalidInput(Reason.UNDO_WINDOW_OVER)
            return generation.restored()

        return await self._change(user_id, generation_id, restore)

    async def _change(
        self, user_id: str, generation_id: UUID, transition: Callable[[Generation], Generation]
    ) -> Generation:
        while True:  # whoever loses the compare-and-set looks again at what the winner left
            async with self._store.begin() as tx:
                current = await self._owned(tx, user_id, generation_id)
                changed = transition(current)
                done = await tx.generations.replace(current, changed)
            if done:
                await self._events.publish(*changes_of(changed))
                return changed

    async def _owned(self, tx: Transaction, user_id: str, generation_id: UUID) -> Generation:
        generation = await tx.generations.get(generation_id)
        if generation is None or generation.user_id != user_id:
            raise NotFound
        return generation
