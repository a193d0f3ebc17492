"""What the domain asks of the world, as Protocols. The docstrings are the contract.

`plushify_adapters.conformance` holds a suite of tests per port. An adapter that passes it can be trusted with
credits; one that does not, cannot.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import msgspec

from plushify_core.generation import Generation, Status
from plushify_core.ledger import LedgerEntry, Subscription
from plushify_core.model_call import ModelCall, ModelFacts, Outcome
from plushify_core.users import Session, User

Clock = Callable[[], datetime]
"""The time now, with a time zone (UTC)."""

NewId = Callable[[], UUID]
"""A new unique id, ordered by time (UUID version 7, RFC 9562 section 5.7)."""


# ── image model ──────────────────────────────────────────────────────────────────────────────────────────────


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What an image model is and can do. `title` is for people; a `preview` model is no substitute for a real
    one and says so wherever a model is named. `largest_side_px` is the longest side it really draws."""

    name: str
    title: str
    largest_side_px: int
    preview: bool = False


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One picture to draw.

    `open_photo` begins a new read of the sanitised photo (`photo_size_bytes` bytes of `photo_media_type`,
    `photo_width` × `photo_height` px), so that an adapter can stream it and hold no photo while it waits.
    `longest_side_px` is the size that was sold. `user` is an opaque id, stable for one user. An answer after
    `timeout_s` is of no use; the use case stops waiting then whatever the adapter does.
    """

    prompt: str
    style: str
    photo_media_type: str
    photo_width: int
    photo_height: int
    photo_size_bytes: int
    open_photo: Callable[[], AsyncIterator[bytes]]
    longest_side_px: int
    user: str
    timeout_s: float


class ModelResult(msgspec.Struct, frozen=True, kw_only=True):
    """A drawn picture as the model delivered it, and what the provider said about the call."""

    data: bytes
    media_type: str
    facts: ModelFacts


class ImageModel(Protocol):
    """Draws a plushie from a photo. Implementations are safe to call many times at once."""

    async def capabilities(self) -> Capabilities:
        """What the model can do. Never fails: an adapter that cannot ask answers from what it knows."""
        ...

    async def generate(self, request: ModelRequest) -> ModelResult:
        """Draw one picture.

        Calls the paid service at most once, unless the earlier outcome is known not to be billed. The bytes
        are a picture that `ImageCodec.finish` reads, or the codec's error settles the generation as failed.

        Raises:
            ModelError: there is no picture. No other exception, except what `open_photo` raises (unchanged)
                and cancellation.
        """
        ...


# ── image codec ──────────────────────────────────────────────────────────────────────────────────────────────


class Photo(msgspec.Struct, frozen=True, kw_only=True):
    """An upload made safe: upright, without metadata, of a size the model takes. Sides in px."""

    data: bytes
    media_type: str
    width: int
    height: int


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A result ready to store: the picture, its thumbnail, and a tiny placeholder as a data URL. Sides in px."""

    data: bytes
    media_type: str
    width: int
    height: int
    thumbnail: bytes
    thumbnail_media_type: str
    thumbnail_width: int
    thumbnail_height: int
    placeholder: str


class ImageCodec(Protocol):
    """Reads and writes pictures. Implementations do their work off the event loop."""

    async def sanitise(self, upload: bytes, *, max_pixels: int) -> Photo:
        """Make an upload safe to store and to send.

        What it is, is told by its bytes alone. Limits are checked on the header, before any pixel is decoded.
        The whole of it is decoded, so a damaged one is found here. The orientation is applied, transparency
        gets a white ground, and all metadata (EXIF, GPS, XMP, comments, colour profiles after conversion to
        sRGB) is gone.

        Raises:
            InvalidInput: `image_empty`, `unsupported_image_format` (also SVG and everything that is no raster
                photo), `image_animated`, `image_too_small` (under 2 × 2), `image_too_many_pixels`,
                `image_corrupt`.
        """
        ...

    async def finish(self, data: bytes, *, longest_side_px: int) -> Picture:
        """Make the picture to store from what the model returned, scaled down to `longest_side_px` if it is
        larger and never up.

        Raises:
            InvalidInput: as `sanitise`; the model's answer is no picture.
        """
        ...


# ── blob store ───────────────────────────────────────────────────────────────────────────────────────────────


_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)


def check_key(key: str) -> None:
    """Refuse what is no key of a blob: adapters call it first, so that no key leaves the store's folder.

    Raises:
        ValueError: `key` is not as `BlobStore` describes keys.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a key of a blob: {key!r}")


class BlobStore(Protocol):
    """Keeps bytes under keys: `/`-separated names of ASCII letters, digits, `-`, `_` and, but not first, `.`.

    Anything the technology raises other than `BlobMissing` means "not now"; the use cases settle it.
    """

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store `data`, in place of what was there. Readers see all of it or nothing. When this has ended, by
        return, exception or cancellation, it writes nothing any more."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes in chunks.

        Raises:
            BlobMissing: at the first step of the iteration.
        """
        ...

    async def delete(self, key: str) -> None:
        """Remove the blob. It is no error if there is none."""
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin with `prefix`, in any order, without holding all of them in memory where the
        technology can."""
        ...

    async def url(self, key: str, *, expires_s: int, download_name: str | None = None) -> str | None:
        """An address that serves the blob to anyone for `expires_s` seconds, as a download of that name if
        one is given; None where the technology cannot sign one."""
        ...


# ── store ────────────────────────────────────────────────────────────────────────────────────────────────────


class Sort(StrEnum):
    """The order of a gallery, by time of submission."""

    NEWEST = "newest"
    OLDEST = "oldest"


class GalleryFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which of a user's generations, and in which order."""

    style: str | None = None
    quality: str | None = None
    sort: Sort = Sort.NEWEST


class Generations(Protocol):
    """The generations, within one transaction."""

    async def add(self, generation: Generation) -> bool:
        """Add a new one. False, and nothing is added, if its user has used its idempotency key already."""
        ...

    async def get(self, generation_id: UUID) -> Generation | None:
        """The generation, in the trash or not."""
        ...

    async def by_idempotency_key(self, user_id: str, key: str) -> Generation | None:
        """The user's generation with this key, in the trash or not."""
        ...

    async def replace(self, current: Generation, changed: Generation) -> bool:
        """Put `changed` in place of `current`: a compare-and-set on `(id, status, fence)` of `current`.
        False, and nothing is changed, if the stored generation has another status or fence, or is gone."""
        ...

    async def remove(self, current: Generation) -> bool:
        """Remove the row, by the same compare-and-set. Ledger entries and the model call stay."""
        ...

    async def page(
        self, user_id: str, filter: GalleryFilter, *, after: UUID | None, limit: int
    ) -> Sequence[Generation]:
        """Up to `limit` of the user's generations that are not in the trash, ordered by id (ids are ordered by
        time), beginning behind `after`."""
        ...

    async def count(self, user_id: str, filter: GalleryFilter) -> int:
        """How many there are over all pages."""
        ...

    async def count_unfinished(self, user_id: str) -> int:
        """How many of the user's are pending or running."""
        ...

    async def abandoned(self, now: datetime, *, limit: int) -> Sequence[Generation]:
        """Up to `limit` pending or running ones whose lease is over at `now`. Those that another open
        transaction holds are left out, where the technology can tell."""
        ...

    async def expired_trash(self, deleted_before: datetime, *, limit: int) -> Sequence[Generation]:
        """Up to `limit` that were deleted at or before that time, likewise, the longest deleted first."""
        ...


class Credits(Protocol):
    """Subscriptions and the ledger, within one transaction."""

    async def open(self, subscription: Subscription) -> bool:
        """Add the subscription of a new user, with the balance 0. False if the user has one."""
        ...

    async def subscription(self, user_id: str) -> Subscription | None:
        """The user's subscription."""
        ...

    async def post(self, entry: LedgerEntry) -> bool:
        """Add the entry and move the balance by its amount, as one. The user's other postings wait until this
        transaction ends. False, and nothing moves, if the entry's generation has an entry of its kind already.

        Raises:
            InsufficientCredits: the balance would go below zero, or the user has no subscription. The
                transaction must then be given up.
        """
        ...

    async def entries(self, user_id: str, *, after: UUID | None, limit: int) -> Sequence[LedgerEntry]:
        """Up to `limit` of the user's entries, newest first (by id), beginning behind `after`."""
        ...

    async def entries_of(self, generation_id: UUID) -> Sequence[LedgerEntry]:
        """The entries that belong to a generation, oldest first."""
        ...


class Users(Protocol):
    """Accounts and who is signed in, within one transaction."""

    async def add(self, user: User) -> bool:
        """Add an account. False, and nothing is added, if its email address is taken."""
        ...

    async def get(self, user_id: str) -> User | None:
        """The account with this id."""
        ...

    async def by_email(self, email: str) -> User | None:
        """The account with this address (lower case)."""
        ...

    async def add_session(self, session: Session) -> None:
        """Sign someone in."""
        ...

    async def session(self, token_hash: str) -> Session | None:
        """The session with this token, over or not."""
        ...

    async def remove_session(self, token_hash: str) -> None:
        """Sign someone out. It is no error if there is no such session."""
        ...

    async def remove_expired_sessions(self, now: datetime) -> int:
        """Forget the sessions that are over at `now`; how many there were."""
        ...


class CostLine(msgspec.Struct, frozen=True, kw_only=True):
    """What the model calls of one day (UTC), style, model and outcome cost, and the credits they earned (what was
    refunded is not earned). `unpriced_calls` are those whose cost is not known."""

    day: date
    style: str
    model: str
    outcome: Outcome
    calls: int
    credits_earned: int
    cost_nano_usd: int
    unpriced_calls: int


class ModelCalls(Protocol):
    """The record of paid calls, within one transaction."""

    async def add(self, call: ModelCall) -> bool:
        """Add a call. False, and nothing is added, if its generation has one already."""
        ...

    async def get(self, generation_id: UUID) -> ModelCall | None:
        """The call of this generation."""
        ...

    async def replace(self, call: ModelCall) -> None:
        """Put the call in place of the recorded one of its generation."""
        ...

    async def cost_since(self, since: datetime) -> int:
        """The known cost of the calls started at or after `since`, in nano-dollars."""
        ...

    async def costs(self, since: datetime, until: datetime) -> Sequence[CostLine]:
        """The calls started from `since` up to `until`, added up by day, style, model (the one that was used,
        where it is known) and outcome, in this order."""
        ...


class Imbalance(msgspec.Struct, frozen=True, kw_only=True):
    """A user whose cached balance is not the sum of their entries. Both in credits."""

    user_id: str
    balance: int
    entries: int


class Audit(Protocol):
    """What an auditor reads, within one transaction: everybody's, in pages."""

    async def imbalances(self, *, after: str | None, limit: int) -> Sequence[Imbalance]:
        """Up to `limit` of them, ordered by user id, beginning behind `after`."""
        ...

    async def recount(self, user_id: str) -> None:
        """Set the user's cached balance to the sum of their entries."""
        ...

    async def scan(self, *, after: UUID | None, limit: int) -> Sequence[Generation]:
        """Up to `limit` of all generations, in the trash or not, ordered by id, beginning behind `after`."""
        ...

    async def find(self, generation_ids: Sequence[UUID]) -> Sequence[Generation]:
        """Those of these generations that exist, in any order."""
        ...

    async def entry_sums(self, generation_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """The sum of the entries of each of these generations, in credits. One without entries may be left out."""
        ...

    async def open_calls(self, started_before: datetime, *, after: UUID | None, limit: int) -> Sequence[ModelCall]:
        """Up to `limit` of the model calls started before that time that have no outcome, ordered by
        generation id, beginning behind `after`."""
        ...


class Transaction(Protocol):
    """One transaction: all of what is done through it happens, or nothing of it."""

    @property
    def generations(self) -> Generations:
        """The generations."""
        ...

    @property
    def credits(self) -> Credits:
        """Subscriptions and the ledger."""
        ...

    @property
    def users(self) -> Users:
        """Accounts and sessions."""
        ...

    @property
    def model_calls(self) -> ModelCalls:
        """The record of paid calls."""
        ...

    @property
    def audit(self) -> Audit:
        """What an auditor reads."""
        ...


class Store(Protocol):
    """The database."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction that commits when its block ends without an exception, and rolls back otherwise,
        cancellation included. Transactions are isolated as if they ran one after the other as far as
        compare-and-set, unique keys and postings go. A block never waits for the network but for the database.
        """
        ...


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────


class GenerationChanged(msgspec.Struct, frozen=True, kw_only=True, tag="generation"):
    """A user's generation has changed; `status` is None when it is gone from their gallery."""

    user_id: str
    generation_id: UUID
    status: Status | None


class BalanceChanged(msgspec.Struct, frozen=True, kw_only=True, tag="balance"):
    """A user's balance has changed."""

    user_id: str


Event = GenerationChanged | BalanceChanged


def changes_of(generation: Generation) -> tuple[Event, ...]:
    """What to tell when a generation has come to stand as it does: credits move at its submission and refund."""
    changed = GenerationChanged(
        user_id=generation.user_id,
        generation_id=generation.id,
        status=None if generation.deleted_at else generation.status,
    )
    if generation.status in (Status.PENDING, Status.FAILED) and not generation.deleted_at:
        return changed, BalanceChanged(user_id=generation.user_id)
    return (changed,)


class Events(Protocol):
    """Tells whoever listens that something has changed, across processes where the adapter can.

    Events are hints: one may be lost, none carries what the store does not hold.
    """

    async def publish(self, *events: Event) -> None:
        """Tell the user's listeners. Never fails."""
        ...

    def subscribe(self, user_id: str) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """The events of one user, published from the moment the block is entered until it is left. A listener
        that is too slow loses the oldest."""
        ...
