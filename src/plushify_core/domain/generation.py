"""Life of a generation: one request to make one plushie picture.

        submit           dispatch           succeed
    ──▶ pending ────────▶ running ────────▶ succeeded ──┐   trash         purge
           │  ▲ reclaim      │                          ├────────▶ trashed ────────▶ (no row)
           └──┘              │                          │ ◀────────
           └─────────────────┴──── fail ───▶ failed ────┘   restore

Each transition is a method that returns the next value. The store applies it as a compare-and-set on `(status, fence)`:
if two processes change the same generation, one succeeds and the other changes nothing.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

import msgspec

from plushify_core.domain.errors import Code, Reason


class Status(StrEnum):
    """Status of a generation."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


UNFINISHED = (Status.PENDING, Status.RUNNING)


class Rendition(StrEnum):
    """Kind of a stored picture: the uploaded photo, the generated picture, or its thumbnail."""

    ORIGINAL = "original"
    GENERATED = "generated"
    THUMBNAIL = "thumbnail"


BLOB_ROOT = "generations/"
"""Prefix of the keys of all blobs."""


def blob_prefix(generation_id: UUID) -> str:
    """Return the prefix of the keys of all blobs of this generation."""
    return f"{BLOB_ROOT}{generation_id}/"


def blob_key(generation_id: UUID, rendition: Rendition) -> str:
    """Return the key of a picture of this generation."""
    return blob_prefix(generation_id) + rendition


def generation_id_of(key: str) -> UUID | None:
    """Return the id of the generation that owns the blob with this key; None if the key has another form."""
    try:
        return UUID(key.removeprefix(BLOB_ROOT).partition("/")[0])
    except ValueError:
        return None


class EncodedImage(msgspec.Struct, frozen=True, kw_only=True):
    """Picture as the bytes of a file. `width` and `height` are in px."""

    data: bytes
    media_type: str
    width: int
    height: int


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """Picture in the blob store. `width` and `height` are those of the stored bytes, in px."""

    key: str
    media_type: str
    width: int
    height: int
    size_bytes: int

    @classmethod
    def of(cls, key: str, image: EncodedImage) -> Self:
        """Return the description of `image` stored under `key`."""
        return cls(
            key=key, media_type=image.media_type, width=image.width, height=image.height, size_bytes=len(image.data)
        )


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Reason why a generation has no picture. `retryable` tells whether the same photo may succeed later."""

    code: Code
    reason: Reason
    retryable: bool = True

    @classmethod
    def of(cls, reason: Reason, *, retryable: bool = True) -> Self:
        """Return the failure of a generation for this reason."""
        return cls(code=Code.GENERATION_FAILED, reason=reason, retryable=retryable)


class IllegalTransition(Exception):
    """Transition that the current status does not allow. It is a bug of the caller."""


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """One generation.

    `fence` is a fencing token. Every change of owner and every transition of a finished generation increases it, so a
    compare-and-set by an earlier owner fails. Another process may become the owner after `lease_until`. The picture
    must be stored by `deadline_at`.

    `untidy_since` is the time of a failure. While it is set, the blob store may hold blobs that the row does not name;
    a sweep removes them and clears it.
    """

    id: UUID
    user_id: str
    style: str
    quality: str
    credits_cost: int
    fingerprint: str
    idempotency_key: str | None
    created_at: datetime
    deadline_at: datetime
    status: Status = Status.PENDING
    fence: int = 0
    lease_until: datetime | None = None
    original: StoredImage | None = None
    generated: StoredImage | None = None
    thumbnail: StoredImage | None = None
    placeholder: str | None = None
    failure: Failure | None = None
    completed_at: datetime | None = None
    untidy_since: datetime | None = None
    deleted_at: datetime | None = None
    purging: bool = False

    def __post_init__(self) -> None:
        unfinished = self.status in UNFINISHED
        succeeded = self.status is Status.SUCCEEDED
        rules = {
            "costs at least one credit": self.credits_cost >= 1,
            "has a lease exactly while it is unfinished": unfinished == (self.lease_until is not None),
            "has a completion time exactly when it is finished": unfinished == (self.completed_at is None),
            "has its original unless it failed": self.original is not None or self.status is Status.FAILED,
            "has a picture and a thumbnail exactly when it succeeded": (
                succeeded == (self.generated is not None) == (self.thumbnail is not None)
            ),
            "has a failure exactly when it failed": (self.status is Status.FAILED) == (self.failure is not None),
            "is untidy only after a failure": self.untidy_since is None or self.status is Status.FAILED,
            "is deleted only once finished": self.deleted_at is None or not unfinished,
            "is purged only from the trash": not self.purging or self.deleted_at is not None,
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(f"generation {self.id} ({self.status}) breaks its rule: it {rule}")

    @property
    def finished(self) -> bool:
        """Whether the generation has succeeded or failed."""
        return self.status not in UNFINISHED

    @property
    def blob_prefix(self) -> str:
        """Prefix of the keys of all its blobs."""
        return blob_prefix(self.id)

    @property
    def blob_keys(self) -> list[str]:
        """Keys of the blobs that the generation names."""
        return [image.key for image in map(self.image, Rendition) if image is not None]

    def image(self, rendition: Rendition) -> StoredImage | None:
        """Return the picture of this kind, if the generation has it."""
        images = {
            Rendition.ORIGINAL: self.original,
            Rendition.GENERATED: self.generated,
            Rendition.THUMBNAIL: self.thumbnail,
        }
        return images[rendition]

    def is_being_submitted(self, now: datetime) -> bool:
        """Return whether the process that submitted the generation may still be storing its photo."""
        return self.fence == 0 and self.lease_until is not None and now < self.lease_until

    def dispatch(self, lease_until: datetime) -> Self:
        """Make a running generation, owned by a process that is about to call the image model."""
        return self._from(Status.PENDING, status=Status.RUNNING, fence=self.fence + 1, lease_until=lease_until)

    def reclaim(self, lease_until: datetime) -> Self:
        """Give the pending generation a new owner, because the previous one did not dispatch it within its lease."""
        return self._from(Status.PENDING, fence=self.fence + 1, lease_until=lease_until)

    def succeed(self, *, at: datetime, generated: StoredImage, thumbnail: StoredImage, placeholder: str) -> Self:
        """End the generation with its picture, whose bytes are already stored."""
        return self._from(
            Status.RUNNING,
            status=Status.SUCCEEDED,
            lease_until=None,
            completed_at=at,
            generated=generated,
            thumbnail=thumbnail,
            placeholder=placeholder,
        )

    def fail(self, failure: Failure, *, at: datetime, original_stored: bool = True) -> Self:
        """End the generation without a picture. The caller posts the refund in the same transaction.

        If `original_stored` is False, the photo is not in the blob store, and the generation names no original.
        """
        return self._from(
            *UNFINISHED,
            status=Status.FAILED,
            lease_until=None,
            completed_at=at,
            failure=failure,
            untidy_since=at,
            original=self.original if original_stored else None,
        )

    def tidy(self) -> Self:
        """Clear `untidy_since`, because the orphaned blobs of the failed generation were removed."""
        return self._from(Status.FAILED, fence=self.fence + 1, untidy_since=None)

    def trash(self, *, at: datetime) -> Self:
        """Move the generation to the trash. It leaves every listing, and is purged after the undo window."""
        return self._from(Status.SUCCEEDED, Status.FAILED, in_trash=False, fence=self.fence + 1, deleted_at=at)

    def restore(self) -> Self:
        """Take the generation out of the trash.

        Raises:
            IllegalTransition: its purge has begun.
        """
        if self.purging:
            raise IllegalTransition(f"generation {self.id} is being purged")
        return self._from(Status.SUCCEEDED, Status.FAILED, in_trash=True, fence=self.fence + 1, deleted_at=None)

    def begin_purge(self) -> Self:
        """Mark the trashed generation so that it can no longer be restored. The caller then deletes its blobs."""
        return self._from(Status.SUCCEEDED, Status.FAILED, in_trash=True, fence=self.fence + 1, purging=True)

    def _from(self, *statuses: Status, in_trash: bool = False, **changes: Any) -> Self:
        if self.status not in statuses or (self.deleted_at is not None) is not in_trash:
            raise IllegalTransition(f"generation {self.id} is {self.status}, deleted at {self.deleted_at}")
        return msgspec.structs.replace(self, **changes)
