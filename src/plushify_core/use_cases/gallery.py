"""Gallery of a user: list, get, delete and restore generations."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from plushify_core.domain.errors import InvalidInput, NotFound, Reason
from plushify_core.domain.generation import Generation, Rendition, StoredImage
from plushify_core.domain.limits import Limits
from plushify_core.ports import BlobStore, Events, GalleryFilter, Store, Transaction, changes_of


class GalleryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Page of a gallery.

    `next_cursor` is the cursor of the next page; None on the last page. `total` counts the generations on all pages.
    """

    items: Sequence[Generation]
    next_cursor: UUID | None
    total: int


@dataclass(frozen=True, kw_only=True, eq=False)
class GalleryUseCase:
    """Gallery of one user at a time. Generations of other users, and deleted ones, are not found."""

    store: Store
    blobs: BlobStore
    events: Events
    limits: Limits

    async def list(
        self, user_id: str, filter: GalleryFilter, *, cursor: UUID | None = None, limit: int = 20
    ) -> GalleryPage:
        """Return up to `limit` generations of the user after `cursor`.

        Raises:
            InvalidInput: `limit` is not between 1 and `max_page_items`.
        """
        self.limits.validate_page(limit)
        async with self.store.begin() as tx:
            found = await tx.generations.page(user_id, filter, after=cursor, limit=limit + 1)
            total = await tx.generations.count(user_id, filter)
        items = found[:limit]
        return GalleryPage(items=items, next_cursor=items[-1].id if len(found) > limit else None, total=total)

    async def get(self, user_id: str, generation_id: UUID) -> Generation:
        """Return a generation of the user.

        Raises:
            NotFound: there is no generation with this id, it is deleted, or it belongs to another user.
        """
        async with self.store.begin() as tx:
            generation = await self._owned(tx, user_id, generation_id)
        if generation.deleted_at is not None:
            raise NotFound
        return generation

    async def image(self, user_id: str, generation_id: UUID, rendition: Rendition) -> StoredImage:
        """Return the description of a stored picture of the user.

        Raises:
            NotFound: the user has no generation with this id, or the generation has no such picture.
        """
        image = (await self.get(user_id, generation_id)).image(rendition)
        if image is None:
            raise NotFound
        return image

    def read(self, image: StoredImage) -> AsyncIterator[bytes]:
        """Return the bytes of a stored picture, in chunks.

        Raises:
            BlobMissing: the picture is no longer in the blob store; at the first step of the iteration.
        """
        return self.blobs.read(image.key)

    async def url(self, image: StoredImage, *, expires_s: int, download_name: str | None = None) -> str | None:
        """Return a signed URL of a stored picture that is valid for `expires_s` seconds.

        With `download_name`, browsers save the picture under this file name. Return None if the store cannot sign URLs.
        """
        return await self.blobs.url(image.key, expires_s=expires_s, download_name=download_name)

    async def delete(self, user_id: str, generation_id: UUID) -> None:
        """Move a finished generation to the trash. It is purged after the undo window.

        Raises:
            NotFound: the user has no generation with this id, or it is already deleted.
            InvalidInput: `generation_unfinished`.
        """

        def trash(generation: Generation, now: datetime) -> Generation:
            if generation.deleted_at is not None:
                raise NotFound
            if not generation.finished:
                raise InvalidInput(Reason.GENERATION_UNFINISHED)
            return generation.trash(at=now)

        await self._change(user_id, generation_id, trash)

    async def restore(self, user_id: str, generation_id: UUID) -> Generation:
        """Restore a deleted generation, and return it. A generation that is not deleted is returned unchanged.

        Raises:
            NotFound: there is no generation with this id, it is purged, or it belongs to another user.
            InvalidInput: `undo_window_over`.
        """

        def restore(generation: Generation, now: datetime) -> Generation:
            if generation.deleted_at is None:
                return generation
            if generation.purging or now >= generation.deleted_at + self.limits.undo_window:
                raise InvalidInput(Reason.UNDO_WINDOW_OVER)
            return generation.restore()

        return await self._change(user_id, generation_id, restore)

    async def _change(
        self, user_id: str, generation_id: UUID, transition: Callable[[Generation, datetime], Generation]
    ) -> Generation:
        while True:  # after a lost compare-and-set, apply the transition to the new value
            async with self.store.begin() as tx:
                current = await self._owned(tx, user_id, generation_id)
                changed = transition(current, await tx.now())
                done = await tx.generations.replace(current, changed)
            if done:
                await self.events.publish(*changes_of(changed))
                return changed

    async def _owned(self, tx: Transaction, user_id: str, generation_id: UUID) -> Generation:
        generation = await tx.generations.get(generation_id)
        if generation is None or generation.user_id != user_id:
            raise NotFound
        return generation
