"""Life of a generation: every allowed transition, and every forbidden one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from plushify_core import Code, Failure, Generation, IllegalTransition, Reason, Rendition, Status, StoredImage
from plushify_core.domain.generation import blob_key, generation_id_of
from plushify_core.ports import EncodedImage, validate_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=90)
IMAGE = StoredImage(key="generations/1/original", media_type="image/png", width=4, height=2, size_bytes=24)
FAILURE = Failure(code=Code.GENERATION_FAILED, reason=Reason.TIMEOUT)

PENDING = Generation(
    id=UUID(int=1),
    user_id="ann",
    style="kawaii",
    quality="standard",
    credits_cost=1,
    fingerprint="f",
    idempotency_key=None,
    created_at=NOW,
    deadline_at=NOW + timedelta(seconds=60),
    lease_until=NOW + timedelta(seconds=20),
    original=IMAGE,
)


def dispatch(generation: Generation) -> Generation:
    """Change from pending to running."""
    return generation.dispatch(LATER)


def reclaim(generation: Generation) -> Generation:
    """Change the owner of a pending generation."""
    return generation.reclaim(LATER)


def succeed(generation: Generation) -> Generation:
    """Change from running to succeeded."""
    return generation.succeed(at=NOW, generated=IMAGE, thumbnail=IMAGE, placeholder="data:")


def fail(generation: Generation) -> Generation:
    """Change from unfinished to failed."""
    return generation.fail(FAILURE, at=NOW)


def trash(generation: Generation) -> Generation:
    """Change from finished to trashed."""
    return generation.trash(at=NOW)


def restore(generation: Generation) -> Generation:
    """Change from trashed to finished."""
    return generation.restore()


def purge(generation: Generation) -> Generation:
    """Change from trashed to purging."""
    return generation.begin_purge()


def tidy(generation: Generation) -> Generation:
    """Mark a failed generation as tidy."""
    return generation.tidy()


RUNNING = dispatch(PENDING)
SUCCEEDED = succeed(RUNNING)
FAILED = fail(RUNNING)
TRASHED = trash(SUCCEEDED)
TRASHED_FAILED = trash(FAILED)
PURGING = purge(TRASHED)

LEGAL: dict[Callable[[Generation], Generation], list[Generation]] = {
    dispatch: [PENDING],
    reclaim: [PENDING],
    succeed: [RUNNING],
    fail: [PENDING, RUNNING],
    trash: [SUCCEEDED, FAILED],
    restore: [TRASHED, TRASHED_FAILED],
    purge: [TRASHED, TRASHED_FAILED, PURGING],
    tidy: [FAILED],
}
STATES = [PENDING, RUNNING, SUCCEEDED, FAILED, TRASHED, TRASHED_FAILED, PURGING]
ILLEGAL = [(transition, state) for transition, legal in LEGAL.items() for state in STATES if state not in legal]


def name(value: object) -> str:
    """Return the name of a state or a transition, for the ids of the tests."""
    if isinstance(value, Generation):
        return value.status + ("-trashed" if value.deleted_at else "") + ("-purging" if value.purging else "")
    return str(getattr(value, "__name__", value))


@pytest.mark.parametrize(("transition", "state"), ILLEGAL, ids=name)
def test_illegal_transitions(transition: Callable[[Generation], Generation], state: Generation) -> None:
    """Every transition that the life of a generation does not have is refused."""
    with pytest.raises(IllegalTransition):
        transition(state)


def changes(before: Generation, after: Generation) -> dict[str, Any]:
    """Return the fields that differ, with their later values."""
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {field: new[field] for field in new if new[field] != old[field]}


def test_dispatch() -> None:
    """A dispatch raises the fence and sets a new lease."""
    assert changes(PENDING, RUNNING) == {"status": Status.RUNNING, "fence": 1, "lease_until": LATER}


def test_reclaim() -> None:
    """A reclaimed generation stays pending, with a higher fence and a new lease."""
    assert changes(PENDING, reclaim(PENDING)) == {"fence": 1, "lease_until": LATER}


def test_success() -> None:
    """A success has its pictures and its completion time, and no lease."""
    assert changes(RUNNING, SUCCEEDED) == {
        "status": Status.SUCCEEDED,
        "lease_until": None,
        "completed_at": NOW,
        "generated": IMAGE,
        "thumbnail": IMAGE,
        "placeholder": "data:",
    }


def test_failure() -> None:
    """A failure has its reason and its completion time, keeps the original, and is untidy."""
    assert changes(RUNNING, FAILED) == {
        "status": Status.FAILED,
        "lease_until": None,
        "completed_at": NOW,
        "failure": FAILURE,
        "untidy_since": NOW,
    }


def test_failure_without_its_original() -> None:
    """A failure whose photo was not stored names no original."""
    assert PENDING.fail(FAILURE, at=NOW, original_stored=False).original is None


def test_tidy() -> None:
    """Tidying raises the fence and clears the mark."""
    assert changes(FAILED, FAILED.tidy()) == {"fence": 2, "untidy_since": None}


def test_trash_and_restore() -> None:
    """A restored generation differs from the one before its deletion only in its fence."""
    assert changes(SUCCEEDED, TRASHED) == {"fence": 2, "deleted_at": NOW}
    assert changes(SUCCEEDED, restore(TRASHED)) == {"fence": 3}


def test_purge() -> None:
    """A purge can begin again, with a higher fence."""
    assert changes(TRASHED, PURGING) == {"fence": 3, "purging": True}
    assert changes(PURGING, purge(PURGING)) == {"fence": 4}


@pytest.mark.parametrize(
    ("state", "change", "rule"),
    [
        (PENDING, {"credits_cost": 0}, "costs at least one credit"),
        (PENDING, {"lease_until": None}, "has a lease exactly while it is unfinished"),
        (SUCCEEDED, {"lease_until": LATER}, "has a lease exactly while it is unfinished"),
        (RUNNING, {"completed_at": NOW}, "has a completion time exactly when it is finished"),
        (FAILED, {"completed_at": None}, "has a completion time exactly when it is finished"),
        (RUNNING, {"original": None}, "has its original"),
        (SUCCEEDED, {"generated": None}, "has a picture and a thumbnail"),
        (SUCCEEDED, {"thumbnail": None}, "has a picture and a thumbnail"),
        (FAILED, {"generated": IMAGE}, "has a picture and a thumbnail"),
        (FAILED, {"failure": None}, "has a failure exactly when it failed"),
        (SUCCEEDED, {"failure": FAILURE}, "has a failure exactly when it failed"),
        (SUCCEEDED, {"untidy_since": NOW}, "is untidy only after a failure"),
        (RUNNING, {"deleted_at": NOW}, "is deleted only once finished"),
        (SUCCEEDED, {"purging": True}, "is purged only from the trash"),
    ],
)
def test_rules(state: Generation, change: dict[str, Any], rule: str) -> None:
    """A generation that breaks a rule of its status cannot be created, so none can be read from a database either."""
    with pytest.raises(ValueError, match=rule):
        msgspec.structs.replace(state, **change)


@pytest.mark.parametrize(
    ("rendition", "name"),
    [(Rendition.ORIGINAL, "original"), (Rendition.GENERATED, "generated"), (Rendition.THUMBNAIL, "thumbnail")],
)
def test_blob_key(rendition: Rendition, name: str) -> None:
    """The key of a blob is the prefix of its generation and the name of the rendition."""
    key = blob_key(PENDING.id, rendition)

    assert key == f"generations/00000000-0000-0000-0000-000000000001/{name}"
    assert generation_id_of(key) == PENDING.id
    validate_key(key)


@pytest.mark.parametrize("retryable", [True, False])
def test_failure_of_a_reason(retryable: bool) -> None:
    """`Failure.of` makes the failure of a generation, with its reason."""
    expected = Failure(code=Code.GENERATION_FAILED, reason=Reason.NO_PICTURE, retryable=retryable)

    assert Failure.of(Reason.NO_PICTURE, retryable=retryable) == expected


def test_failures_are_retryable_by_default() -> None:
    """`Failure.of` makes a retryable failure by default."""
    assert Failure.of(Reason.TIMEOUT).retryable


def test_stored_image_of_an_encoded_image() -> None:
    """`StoredImage.of` describes the image under its key: media type, size in px, and number of bytes."""
    image = EncodedImage(data=b"12345", media_type="image/webp", width=40, height=30)

    assert StoredImage.of("a/b", image) == StoredImage(
        key="a/b", media_type="image/webp", width=40, height=30, size_bytes=5
    )


def test_blob_prefix() -> None:
    """The keys of the blobs of a generation begin with its id."""
    assert PENDING.blob_prefix == "generations/00000000-0000-0000-0000-000000000001/"
