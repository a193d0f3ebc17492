"""Mistakes that others have made, planted one at a time in the real code: the simulator has to find each.

Each function takes pytest's `monkeypatch` and spoils something until the test ends.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from plushify_adapters.memory._credits import MemoryCredits
from plushify_adapters.memory._generations import MemoryGenerations
from plushify_core import (
    CreditsUseCase,
    EntryKind,
    GalleryUseCase,
    Generation,
    Limits,
    NotFound,
    RecoverUseCase,
    Status,
)
from plushify_core.ports import EncodedImage, Transaction
from plushify_core.use_cases._attempt import Attempt, Succeeded
from plushify_core.use_cases._dispatch import Dispatch
from plushify_core.use_cases._ledger_postings import LedgerPostings
from plushify_core.use_cases._outcomes import OutcomeRecorder
from plushify_core.use_cases._settlement import Settlement
from plushify_core.use_cases._submission import Submission
from tests.gates import GatedStore

Plant = Callable[[pytest.MonkeyPatch], None]


def no_fence_check(patch: pytest.MonkeyPatch) -> None:
    """A replacement looks at the id alone: a late success overwrites the refund of a sweep."""
    patch.setattr(MemoryGenerations, "_is_current", lambda self, current: current.id in self.tables.generations)


def refund_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """A failure is committed, and then its refund."""
    _later(patch, EntryKind.REFUND)


def charge_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """A generation is committed, and then its price is taken."""
    _later(patch, EntryKind.CONSUME)


def free_credits_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """A subscription is committed, and then its free credits are granted."""
    _later(patch, EntryKind.GRANT)


def refund_without_unique_key(patch: pytest.MonkeyPatch) -> None:
    """A refund is posted first and trusts a unique key that is not there: whoever comes second posts another."""
    fail = OutcomeRecorder.fail

    async def spoilt(self: OutcomeRecorder, tx: Transaction, generation: Generation, failure: Any, **facts: Any) -> Any:
        failed = await fail(self, tx, generation, failure, **facts)
        if failed is None:
            await self.postings.refund(tx, generation, reason=failure.reason)
        return failed

    post = MemoryCredits.post

    async def posted(self: MemoryCredits, entry: Any) -> bool:
        self.tables.entry_kinds.pop((entry.generation_id, entry.kind), None)
        return await post(self, entry)

    patch.setattr(OutcomeRecorder, "fail", spoilt)
    patch.setattr(MemoryCredits, "post", posted)


def grant_without_unique_key(patch: pytest.MonkeyPatch) -> None:
    """A grant that is repeated with its key is posted again."""
    post = MemoryCredits.post

    async def posted(self: MemoryCredits, entry: Any) -> bool:
        self.tables.grant_keys.pop((entry.user_id, entry.idempotency_key), None)
        return await post(self, entry)

    patch.setattr(MemoryCredits, "post", posted)


def refund_by_hand_of_anything(patch: pytest.MonkeyPatch) -> None:
    """An operator may refund a generation that is still being made, which may succeed or be refunded again."""

    async def unfinished(self: CreditsUseCase, tx: Transaction, generation_id: UUID) -> None:
        return None

    patch.setattr(CreditsUseCase, "_refuse_unfinished", unfinished)


def lease_shorter_than_the_deadline(patch: pytest.MonkeyPatch) -> None:
    """A drawing may be given up by others while its process still has time."""
    patch.setattr(Limits, "lease_margin", timedelta(seconds=-40))


def dispatch_after_the_call(patch: pytest.MonkeyPatch) -> None:
    """The model is called first, and the row says so afterwards: who dies in between calls it again."""

    async def dispatched(self: Dispatch, generation_id: UUID) -> tuple[Generation, bool]:
        async with self.store.begin() as tx:
            generation = await tx.generations.get(generation_id)
        if generation is None:
            raise NotFound
        if generation.status is not Status.PENDING:
            return generation, False
        return generation.dispatch(generation.deadline_at + self.limits.lease_margin), True

    commit = Settlement._commit

    async def committed(self: Settlement, running: Generation, attempt: Attempt) -> Generation | None:
        async with self.store.begin() as tx:
            pending = await tx.generations.get(running.id)
            if pending is not None and await tx.generations.replace(pending, running):
                await self.outcomes.open_call(tx, running, "late")
        return await commit(self, running, attempt)

    patch.setattr(Dispatch, "dispatch", dispatched)
    patch.setattr(Settlement, "_commit", committed)


def blobs_deleted_after_the_row(patch: pytest.MonkeyPatch) -> None:
    """A purge removes the row first: who dies in between leaves bytes that nobody knows of."""

    async def erased(self: RecoverUseCase, generation: Generation) -> bool:
        async with self.store.begin() as tx:
            removed = await tx.generations.remove(generation)
        for key in [key async for key in self.blobs.keys(generation.blob_prefix)]:
            await self.blobs.delete(key)
        return removed

    patch.setattr(RecoverUseCase, "_purge", erased)


def photo_stored_before_the_row(patch: pytest.MonkeyPatch) -> None:
    """A submission stores its photo, and then pays: who dies in between leaves bytes that nobody knows of."""
    charge_and_store = Submission._charge_and_store

    async def stored(self: Submission, generation: Generation, photo: EncodedImage) -> Generation:
        assert generation.original is not None
        await self.blobs.put(generation.original.key, photo.data, media_type=photo.media_type)
        return await charge_and_store(self, generation, photo)

    patch.setattr(Submission, "_charge_and_store", stored)


def sweep_that_dispatches_again(patch: pytest.MonkeyPatch) -> None:
    """An abandoned drawing is drawn once more, instead of refunded."""

    async def interrupted(self: RecoverUseCase, tx: Transaction, abandoned: Generation) -> None:
        if abandoned.status is Status.RUNNING:
            pending = msgspec.structs.replace(abandoned, status=Status.PENDING, fence=abandoned.fence + 1)
            await tx.generations.replace(abandoned, pending)

    patch.setattr(RecoverUseCase, "_interrupt", interrupted)


def no_sweep(patch: pytest.MonkeyPatch) -> None:
    """Refunds live in an `except`: what a dead process had begun is never settled."""

    async def settled(self: RecoverUseCase) -> tuple[int, tuple[UUID, ...]]:
        return 0, ()

    patch.setattr(RecoverUseCase, "_settle_expired_leases", settled)


def key_checked_before_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """Whether a key is new is asked before the transaction, and no unique key stands behind it."""
    add = MemoryGenerations.add

    async def added(self: MemoryGenerations, generation: Generation) -> bool:
        if generation.idempotency_key is not None:
            self.tables.idempotency_keys.pop((generation.user_id, generation.idempotency_key), None)
        return await add(self, generation)

    patch.setattr(MemoryGenerations, "add", added)


def no_deadline(patch: pytest.MonkeyPatch) -> None:
    """The model is trusted to answer."""
    run = Attempt.run

    async def patient(self: Attempt) -> None:
        self.generation = msgspec.structs.replace(self.generation, deadline_at=datetime.max.replace(tzinfo=UTC))
        self.limits = msgspec.structs.replace(self.limits, timeout_s=1e6)
        await run(self)

    patch.setattr(Attempt, "run", patient)


def failed_commit_taken_at_its_word(patch: pytest.MonkeyPatch) -> None:
    """A commit that is reported as failed is believed to have failed: the pictures of a success are removed."""
    commit = Settlement._commit

    async def committed(self: Settlement, running: Generation, attempt: Attempt) -> Generation | None:
        try:
            return await commit(self, running, attempt)
        except Exception:
            if isinstance(attempt.result, Succeeded):
                await attempt.discard()
            raise

    patch.setattr(Settlement, "_commit", committed)


def replay_runs_before_the_photo(patch: pytest.MonkeyPatch) -> None:
    """Whoever replays a request runs its generation, whether or not the photo has been stored."""

    async def no_problem(self: Dispatch, generation_id: UUID) -> None:
        return None

    patch.setattr(Dispatch, "_original_problem", no_problem)


def failure_without_a_mark(patch: pytest.MonkeyPatch) -> None:
    """What a failure left behind is removed by the process that failed, and by nobody if that dies."""
    fail = Generation.fail

    def unmarked(self: Generation, *args: Any, **kwargs: Any) -> Generation:
        return msgspec.structs.replace(fail(self, *args, **kwargs), untidy_since=None)

    patch.setattr(Generation, "fail", unmarked)


def mark_removed_before_the_blobs(patch: pytest.MonkeyPatch) -> None:
    """A failure counts as cleared up after, and then its blobs are removed."""
    tidy = RecoverUseCase._tidy

    async def cleared(self: RecoverUseCase, generation: Generation) -> bool:
        async with self.store.begin() as tx:
            if not await tx.generations.replace(generation, tidied := generation.tidy()):
                return False
        return await tidy(self, tidied)

    patch.setattr(RecoverUseCase, "_tidy", cleared)


def cleared_up_too_early(patch: pytest.MonkeyPatch) -> None:
    """A failure is cleared up after at once, though something may still be stored for it."""
    patch.setattr(Limits, "late_write", timedelta(0))


def anybodys_generation(patch: pytest.MonkeyPatch) -> None:
    """Who knows an id gets at the generation."""

    async def owned(self: GalleryUseCase, tx: Transaction, user_id: str, generation_id: UUID) -> Generation:
        if (generation := await tx.generations.get(generation_id)) is None:
            raise NotFound
        return generation

    patch.setattr(GalleryUseCase, "_owned", owned)


def _later(patch: pytest.MonkeyPatch, kind: EntryKind) -> None:
    """Entries of this kind are posted in a transaction of their own, behind the one that they belong to."""
    begin, post = GatedStore.begin, LedgerPostings.post
    waiting: dict[int, list[Callable[[Transaction], Awaitable[object]]]] = {}

    @asynccontextmanager
    async def begun(self: GatedStore) -> AsyncIterator[Transaction]:
        async with begin(self) as tx:
            waiting.pop(id(tx), None)
            yield tx
        for again in waiting.pop(id(tx), []):
            async with begin(self) as second:
                await again(second)

    async def posted(
        self: LedgerPostings, tx: Transaction, user_id: str, of: EntryKind, amount: int, **why: Any
    ) -> bool:
        if of is not kind or why.get("actor") not in (None, user_id) or "operation" in why["reason"]:
            return await post(self, tx, user_id, of, amount, **why)
        waiting.setdefault(id(tx), []).append(lambda second: post(self, second, user_id, of, amount, **why))
        return True

    patch.setattr(GatedStore, "begin", begun)
    patch.setattr(LedgerPostings, "post", posted)


PLANTED: tuple[Plant, ...] = (
    no_fence_check,
    refund_outside_the_transaction,
    charge_outside_the_transaction,
    free_credits_outside_the_transaction,
    refund_without_unique_key,
    grant_without_unique_key,
    refund_by_hand_of_anything,
    lease_shorter_than_the_deadline,
    dispatch_after_the_call,
    blobs_deleted_after_the_row,
    photo_stored_before_the_row,
    sweep_that_dispatches_again,
    no_sweep,
    key_checked_before_the_transaction,
    no_deadline,
    failed_commit_taken_at_its_word,
    replay_runs_before_the_photo,
    failure_without_a_mark,
    mark_removed_before_the_blobs,
    cleared_up_too_early,
    anybodys_generation,
)
