"""The life of a generation: every transition it has, and every one it has not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from plushify_core import Code, Failure, Generation, IllegalTransition, Reason, Status, StoredImage

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
    """Pending to running."""
    return generation.dispatch(LATER)


def reclaim(generation: Generation) -> Generation:
    """Pending, in other hands."""
    return generation.reclaim(LATER)


def succeed(generation: Generation) -> Generation:
    """Running to succeeded."""
    return generation.succeed(at=NOW, generated=IMAGE, thumbnail=IMAGE, placeholder="data:")


def fail(generation: Generation) -> Generation:
    """Unfinished to failed."""
    return generation.fail(FAILURE, at=NOW)


def trash(generation: Generation) -> Generation:
    """Finished to trashed."""
    return generation.trash(at=NOW)


def restore(generation: Generation) -> Generation:
    """Out of the trash."""
    return generation.restore()


def purge(generation: Generation) -> Generation:
    """Trashed to purging."""
    return generation.begin_purge()


def tidy(generation: Generation) -> Generation:
    """Failed, and cleared up after."""
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
    """What a case of the table is called."""
    if isinstance(value, Generation):
        return value.status + ("-trashed" if value.deleted_at else "") + ("-purging" if value.purging else "")
    return str(getattr(value, "__name__", value))


@pytest.mark.parametrize(("transition", "state"), ILLEGAL, ids=name)
def test_illegal_transitions(transition: Callable[[Generation], Generation], state: Generation) -> None:
    """What the drawing of the life does not show is refused."""
    with pytest.raises(IllegalTransition):
        transition(state)


def changes(before: Generation, after: Generation) -> dict[str, Any]:
    """The fields that differ, as they are afterwards."""
    old, new = msgspec.structs.asdict(before), msgspec.structs.asdict(after)
    return {field: new[field] for field in new if new[field] != old[field]}


def test_dispatch() -> None:
    """A dispatch takes the generation over: a higher fence, and a lease."""
    assert changes(PENDING, RUNNING) == {"status": Status.RUNNING, "fence": 1, "lease_until": LATER}


def test_reclaim() -> None:
    """A pending generation that changes hands stays pending, under a higher fence."""
    assert changes(PENDING, reclaim(PENDING)) == {"fence": 1, "lease_until": LATER}


def test_success() -> None:
    """A success has its pictures, and no lease any more."""
    assert changes(RUNNING, SUCCEEDED) == {
        "status": Status.SUCCEEDED,
        "lease_until": None,
        "completed_at": NOW,
        "generated": IMAGE,
        "thumbnail": IMAGE,
        "placeholder": "data:",
    }


def test_failure() -> None:
    """A failure says why, keeps the original, and is to be cleared up after."""
    assert changes(RUNNING, FAILED) == {
        "status": Status.FAILED,
        "lease_until": None,
        "completed_at": NOW,
        "failure": FAILURE,
        "untidy_since": NOW,
    }


def test_failure_without_its_original() -> None:
    """A failure whose photo was never stored does not refer to it."""
    assert PENDING.fail(FAILURE, at=NOW, original_stored=False).original is None


def test_tidying() -> None:
    """Whoever has cleared up says so; of two that did, one does."""
    assert changes(FAILED, FAILED.tidy()) == {"fence": 2, "untidy_since": None}


def test_trash_and_back() -> None:
    """What comes back from the trash is as it was; only its fence shows that it was away."""
    assert changes(SUCCEEDED, TRASHED) == {"fence": 2, "deleted_at": NOW}
    assert changes(SUCCEEDED, restore(TRASHED)) == {"fence": 3}


def test_purge() -> None:
    """A purge that another one finishes takes it over once more."""
    assert changes(TRASHED, PURGING) == {"fence": 3, "purging": True}
    assert changes(PURGING, purge(PURGING)) == {"fence": 4}


@pytest.mark.parametrize(
    ("state", "change", "rule"),
    [
        (PENDING, {"credits_cost": 0}, "costs at least one credit"),
        (PENDING, {"lease_until": None}, "has a lease only while unfinished"),
        (SUCCEEDED, {"lease_until": LATER}, "has a lease only while unfinished"),
        (RUNNING, {"completed_at": NOW}, "has a completion time only once finished"),
        (FAILED, {"completed_at": None}, "has a completion time only once finished"),
        (RUNNING, {"original": None}, "has its original"),
        (SUCCEEDED, {"generated": None}, "has a picture and a thumbnail"),
        (SUCCEEDED, {"thumbnail": None}, "has a picture and a thumbnail"),
        (FAILED, {"generated": IMAGE}, "has a picture and a thumbnail"),
        (FAILED, {"failure": None}, "has a failure only once it failed"),
        (SUCCEEDED, {"failure": FAILURE}, "has a failure only once it failed"),
        (SUCCEEDED, {"untidy_since": NOW}, "is untidy only after a failure"),
        (RUNNING, {"deleted_at": NOW}, "is deleted only once finished"),
        (SUCCEEDED, {"purging": True}, "is purged only from the trash"),
    ],
)
def test_rules(state: Generation, change: dict[str, Any], rule: str) -> None:
    """No generation comes into being that contradicts itself, not even from a database."""
    with pytest.raises(ValueError, match=rule):
        msgspec.structs.replace(state, **change)


def test_blob_prefix() -> None:
    """All blobs of a generation lie in a folder that is its own."""
    assert PENDING.blob_prefix == "generations/00000000-0000-0000-0000-000000000001/"
