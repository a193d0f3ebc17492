"""One request to make one plushie picture, from submission to its end.

        submit            dispatch            picture stored
    ──▶ pending ─────────▶ running ─────────▶ succeeded ──┐   delete            purge
           │  ▲ reclaim       │                           ├─────────▶ trashed ─────────▶ (no row)
           └──┘               │                           │ ◀─────────
           └──────────────────┴─────────────▶ failed ─────┘   restore
                 failure, timeout, sweep

Transitions are methods that return a new value. The store carries each out as a compare-and-set on
`(status, fence)`: of two processes that work on the same generation, one wins and the other changes nothing.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from plushify_core.errors import Code, Reason


class Status(StrEnum):
    """Where a generation is in its life."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


UNFINISHED = (Status.PENDING, Status.RUNNING)


class IllegalTransition(Exception):
    """The program asked for a change that the life of a generation does not have."""


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """A picture in the blob store. Sides in px; `width` and `height` are those of the stored bytes."""

    key: str
    media_type: str
    width: int
    height: int
    size_bytes: int


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no picture: stable code and reason; the sentence is `errors.MESSAGES[reason]`."""

    code: Code
    reason: Reason
    retryable: bool = True


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """A generation as it stands.

    `fence` grows whenever a process takes it over, so that who held it before can no longer change it.
    `lease_until` is when another process may take it over; `deadline_at` when its user has waited enough. Since
    `untidy_since`, which is when it failed, blobs may be stored that it does not name: a sweep removes them.
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
            "has a lease while unfinished, and only then": unfinished == (self.lease_until is not None),
            "has an end once finished, and only then": unfinished == (self.completed_at is None),
            "has its original unless it failed": self.original is not None or self.status is Status.FAILED,
            "has a picture and a thumbnail once it succeeded, and only then": (
                succeeded == (self.generated is not None) == (self.thumbnail is not None)
            ),
            "has a failure once it failed, and only then": (
                (self.status is Status.FAILED) == (self.failure is not None)
            ),
            "is untidy only where it failed": self.untidy_since is None or self.status is Status.FAILED,
            "is deleted only once finished": self.deleted_at is None or not unfinished,
            "is purged only from the trash": not self.purging or self.deleted_at is not None,
        }
        for rule, holds in rules.items():
            if not holds:
                raise ValueError(f"generation {self.id} ({self.status}) breaks its rule: it {rule}")

    @property
    def finished(self) -> bool:
        """Whether it has succeeded or failed."""
        return self.status not in UNFINISHED

    @property
    def blob_prefix(self) -> str:
        """What the keys of all its blobs begin with."""
        return blob_prefix(self.id)

    @property
    def blob_keys(self) -> list[str]:
        """The keys of the blobs that it names."""
        return [image.key for image in (self.original, self.generated, self.thumbnail) if image is not None]

    def being_submitted(self, now: datetime) -> bool:
        """Whether its photo may still be on the way."""
        return self.fence == 0 and self.lease_until is not None and now < self.lease_until

    def dispatched(self, lease_until: datetime) -> "Generation":
        """Taken by a process that is about to call the image model."""
        return self._from(Status.PENDING, status=Status.RUNNING, fence=self.fence + 1, lease_until=lease_until)

    def reclaimed(self, lease_until: datetime) -> "Generation":
        """Taken from a process that did not come to the dispatch."""
        return self._from(Status.PENDING, fence=self.fence + 1, lease_until=lease_until)

    def succeeded(
        self, *, at: datetime, generated: StoredImage, thumbnail: StoredImage, placeholder: str
    ) -> "Generation":
        """Ended with a picture whose bytes are stored."""
        return self._from(
            Status.RUNNING,
            status=Status.SUCCEEDED,
            lease_until=None,
            completed_at=at,
            generated=generated,
            thumbnail=thumbnail,
            placeholder=placeholder,
        )

    def failed(self, failure: Failure, *, at: datetime, original_stored: bool = True) -> "Generation":
        """Ended without a picture. The refund belongs into the same transaction."""
        return self._from(
            *UNFINISHED,
            status=Status.FAILED,
            lease_until=None,
            completed_at=at,
            failure=failure,
            untidy_since=at,
            original=self.original if original_stored else None,
        )

    def tidied(self) -> "Generation":
        """With nothing stored for it but what it names."""
        return self._from(Status.FAILED, fence=self.fence + 1, untidy_since=None)

    def trashed(self, *, at: datetime) -> "Generation":
        """Gone from every listing; to be purged when the undo window is over."""
        return self._from(Status.SUCCEEDED, Status.FAILED, in_trash=False, fence=self.fence + 1, deleted_at=at)

    def restored(self) -> "Generation":
        """Back from the trash, as it was."""
        if self.purging:
            raise IllegalTransition(f"generation {self.id} is being purged")
        return self._from(Status.SUCCEEDED, Status.FAILED, in_trash=True, fence=self.fence + 1, deleted_at=None)

    def being_purged(self) -> "Generation":
        """Past the point of return: its blobs are about to be deleted."""
        return self._from(Status.SUCCEEDED, Status.FAILED, in_trash=True, fence=self.fence + 1, purging=True)

    def _from(self, *statuses: Status, in_trash: bool = False, **changes: Any) -> "Generation":
        if self.status not in statuses or (self.deleted_at is not None) is not in_trash:
            raise IllegalTransition(f"generation {self.id} is {self.status}, deleted at {self.deleted_at}")
        return msgspec.structs.replace(self, **changes)


BLOBS = "generations/"
"""What the keys of all blobs begin with."""


def blob_prefix(generation_id: UUID) -> str:
    """What the keys of all blobs of this generation begin with."""
    return f"{BLOBS}{generation_id}/"


def generation_of(key: str) -> UUID | None:
    """The id of the generation that a blob belongs to by its key; None if the key is none of ours."""
    try:
        return UUID(key.removeprefix(BLOBS).partition("/")[0])
    except ValueError:
        return None
