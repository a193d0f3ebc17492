"""Removal of orphaned blobs, and of the blobs of purged generations."""

import logging
from collections.abc import Collection

from plushify_core.domain.generation import Generation, Rendition, blob_key
from plushify_core.ports import BlobStore

log = logging.getLogger(__name__)


async def remove_renditions(blobs: BlobStore, generation: Generation, *renditions: Rendition) -> None:
    """Delete these pictures of the generation. A picture that cannot be deleted now is left to the sweep."""
    for rendition in renditions:
        try:
            await blobs.delete(blob_key(generation.id, rendition))
        except Exception:
            log.exception("generation %s: cannot remove its %s", generation.id, rendition)


async def remove_all_except(kept: Collection[str], blobs: BlobStore, generation: Generation) -> bool:
    """Delete the blobs of the generation whose keys are not in `kept`. Return whether all of them are deleted."""
    try:
        for key in [key async for key in blobs.keys(generation.blob_prefix) if key not in kept]:
            await blobs.delete(key)
    except Exception:
        log.exception("generation %s: cannot remove its blobs now, the next sweep tries again", generation.id)
        return False
    return True
