"""Known mistakes, planted one at a time in the real code: the simulator must find each of them.

Each function plants one mistake with pytest's `monkeypatch`, until the test ends. Its docstring describes the mistake.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
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
from plushify_core.use_cases._attempt import Attempt, Succeeded, Until
from plushify_core.use_cases._dispatch import Dispatch
from plushify_core.use_cases._leases import LeaseKeeper
from plushify_core.use_cases._ledger_postings import LedgerPostings
from plushify_core.use_cases._outcomes import OutcomeRecorder
from plushify_core.use_cases._settlement import Settlement
from plushify_core.use_cases._submission import Submission
from tests import virtual_time
from tests.gates import GatedStore, _GatedTransaction

Plant = Callable[[pytest.MonkeyPatch], None]


def no_fence_check(patch: pytest.MonkeyPatch) -> None:
    """Replace rows by id alone, so that a late success overwrites the refund of a sweep."""
    patch.setattr(MemoryGenerations, "_is_current", lambda self, current: current.id in self.tables.generations)


def refund_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """Commit a failure first, and its refund in a second transaction."""
    _post_separately(patch, EntryKind.REFUND)


def charge_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """Commit a generation first, and its charge in a second transaction."""
    _post_separately(patch, EntryKind.CONSUME)


def free_credits_outside_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """Commit a subscription first, and the grant of its free credits in a second transaction."""
    _post_separately(patch, EntryKind.GRANT)


def refund_without_unique_key(patch: pytest.MonkeyPatch) -> None:
    """Post a refund even if another process has failed the generation, without the unique key that would reject it."""
    fail = OutcomeRecorder.fail

    async def fail_and_refund_again(
        self: OutcomeRecorder, tx: Transaction, generation: Generation, failure: Any, **facts: Any
    ) -> Any:
        failed = await fail(self, tx, generation, failure, **facts)
        if failed is None:
            await self.postings.refund(tx, generation, reason=failure.reason)
        return failed

    post = MemoryCredits.post

    async def post_without_unique_key(self: MemoryCredits, entry: Any) -> bool:
        self.tables.entry_kinds.pop((entry.generation_id, entry.kind), None)
        return await post(self, entry)

    patch.setattr(OutcomeRecorder, "fail", fail_and_refund_again)
    patch.setattr(MemoryCredits, "post", post_without_unique_key)


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


def no_renewal(patch: pytest.MonkeyPatch) -> None:
    """Never renew a lease, so that a sweep fails a generation whose process works on it."""

    async def renew_nothing(self: LeaseKeeper) -> None:
        return None

    patch.setattr(LeaseKeeper, "_try_to_renew", renew_nothing)


def renewal_that_ignores_the_fence(patch: pytest.MonkeyPatch) -> None:
    """Renew leases by id alone, so that a process that was frozen gives a lease to a finished generation."""

    async def renew_all(self: MemoryGenerations, fences: Mapping[UUID, int], until: datetime) -> Collection[UUID]:
        return _set_lease(self, fences, until)

    patch.setattr(MemoryGenerations, "renew", renew_all)


def lease_judged_by_the_own_clock(patch: pytest.MonkeyPatch) -> None:
    """Take all times from the clock of the process, so that one whose clock is fast ends leases too early."""

    async def own_time(self: Any) -> datetime:
        return self._gate.clock()

    patch.setattr(_GatedTransaction, "now", own_time)


def _set_lease(generations: MemoryGenerations, ids: Iterable[UUID], until: datetime) -> Collection[UUID]:
    """Set the leases as a database does, which does not know the rules of the entity."""
    found = [generations.tables.generations[one] for one in ids if one in generations.tables.generations]
    for generation in found:
        changed = copy.copy(generation)
        msgspec.structs.force_setattr(changed, "lease_until", until)
        generations.tables.generations[generation.id] = changed
    return [generation.id for generation in found]


def dispatch_after_the_call(patch: pytest.MonkeyPatch) -> None:
    """Call the model before the dispatch is committed, so that it is called again after a crash in between."""

    async def dispatch_in_memory(self: Dispatch, generation_id: UUID) -> tuple[Generation, Until | None]:
        async with self.store.begin() as tx:
            now = await tx.now()
            generation = await tx.generations.get(generation_id)
        if generation is None:
            raise NotFound
        if generation.status is not Status.PENDING:
            return generation, None
        ends_s = asyncio.get_running_loop().time() + self.limits.timeout_s
        return generation.dispatch(now + self.limits.timeout), Until(lease_s=ends_s, deadline_s=ends_s)

    commit = Settlement._commit

    async def dispatch_and_commit(self: Settlement, running: Generation, attempt: Attempt) -> Any:
        async with self.store.begin() as tx:
            pending = await tx.generations.get(running.id)
            if pending is not None and await tx.generations.replace(pending, running):
                await self.outcomes.open_call(tx, running, "late")
        return await commit(self, running, attempt)

    patch.setattr(Dispatch, "dispatch", dispatch_in_memory)
    patch.setattr(Settlement, "_commit", dispatch_and_commit)


def blobs_deleted_after_the_row(patch: pytest.MonkeyPatch) -> None:
    """Purge the row before its blobs, so that a crash in between leaves blobs without a row."""

    async def purge_row_first(self: RecoverUseCase, generation: Generation) -> bool:
        async with self.store.begin() as tx:
            removed = await tx.generations.remove(generation)
        for key in [key async for key in self.blobs.keys(generation.blob_prefix)]:
            await self.blobs.delete(key)
        return removed

    patch.setattr(RecoverUseCase, "_purge", purge_row_first)


def photo_stored_before_the_row(patch: pytest.MonkeyPatch) -> None:
    """Store the photo before its row, so that a crash in between leaves a blob without a row."""
    charge_and_store = Submission._charge_and_store

    async def store_first(
        self: Submission, submit_at: Callable[[datetime], Generation], photo: EncodedImage
    ) -> Generation:
        original = submit_at(virtual_time.now()).original
        assert original is not None
        await self.blobs.put(original.key, photo.data, media_type=photo.media_type)
        return await charge_and_store(self, submit_at, photo)

    patch.setattr(Submission, "_charge_and_store", store_first)


def sweep_that_dispatches_again(patch: pytest.MonkeyPatch) -> None:
    """Return an abandoned running generation to pending instead of refunding it."""

    async def reset_to_pending(self: RecoverUseCase, tx: Transaction, abandoned: Generation) -> None:
        if abandoned.status is Status.RUNNING:
            pending = msgspec.structs.replace(abandoned, status=Status.PENDING, fence=abandoned.fence + 1)
            await tx.generations.replace(abandoned, pending)

    patch.setattr(RecoverUseCase, "_interrupt", reset_to_pending)


def no_sweep(patch: pytest.MonkeyPatch) -> None:
    """Never settle expired leases, as if refunds existed only in an `except` of the process that runs."""

    async def settle_nothing(self: RecoverUseCase) -> tuple[int, tuple[UUID, ...]]:
        return 0, ()

    patch.setattr(RecoverUseCase, "_handle_expired_leases", settle_nothing)


def key_checked_before_the_transaction(patch: pytest.MonkeyPatch) -> None:
    """Check an idempotency key only before the transaction, without a unique key in the store."""
    add = MemoryGenerations.add

    async def add_without_unique_key(self: MemoryGenerations, generation: Generation) -> bool:
        if generation.idempotency_key is not None:
            self.tables.idempotency_keys.pop((generation.user_id, generation.idempotency_key), None)
        return await add(self, generation)

    patch.setattr(MemoryGenerations, "add", add_without_unique_key)


def no_deadline(patch: pytest.MonkeyPatch) -> None:
    """Wait for the model without a deadline."""
    run = Attempt.run

    async def run_without_deadline(self: Attempt) -> None:
        self.until = self.until._replace(deadline_s=1e6)
        await run(self)

    patch.setattr(Attempt, "run", run_without_deadline)


def commit_error_taken_as_rollback(patch: pytest.MonkeyPatch) -> None:
    """Remove the pictures of a success when its commit raises, although it may have been committed."""
    commit = Settlement._commit

    async def discard_on_error(self: Settlement, running: Generation, attempt: Attempt) -> Any:
        try:
            return await commit(self, running, attempt)
        except Exception:
            if isinstance(attempt.result, Succeeded):
                await attempt.discard()
            raise

    patch.setattr(Settlement, "_commit", discard_on_error)


def replay_runs_before_the_photo(patch: pytest.MonkeyPatch) -> None:
    """Let a replay run its generation before the photo is stored."""

    async def no_problem(self: Dispatch, generation_id: UUID) -> None:
        return None

    patch.setattr(Dispatch, "_original_problem", no_problem)


def failure_not_marked_untidy(patch: pytest.MonkeyPatch) -> None:
    """Do not mark failures as untidy, so that no sweep removes the orphaned blobs of a process that died."""
    fail = Generation.fail

    def fail_unmarked(self: Generation, *args: Any, **kwargs: Any) -> Generation:
        return msgspec.structs.replace(fail(self, *args, **kwargs), untidy_since=None)

    patch.setattr(Generation, "fail", fail_unmarked)


def mark_removed_before_the_blobs(patch: pytest.MonkeyPatch) -> None:
    """Clear the mark of a failure before its blobs are removed, so that a crash in between leaves orphaned blobs."""
    tidy = RecoverUseCase._tidy

    async def clear_mark_first(self: RecoverUseCase, generation: Generation) -> bool:
        async with self.store.begin() as tx:
            if not await tx.generations.replace(generation, tidied := generation.tidy()):
                return False
        return await tidy(self, tidied)

    patch.setattr(RecoverUseCase, "_tidy", clear_mark_first)


def tidied_before_late_writes_end(patch: pytest.MonkeyPatch) -> None:
    """Remove the orphaned blobs of a failure at once, although late writes may still add some."""
    patch.setattr(Limits, "late_write", timedelta(0))


def no_owner_check(patch: pytest.MonkeyPatch) -> None:
    """Give access to a generation to every user who knows its id."""

    async def get_of_any_user(self: GalleryUseCase, tx: Transaction, user_id: str, generation_id: UUID) -> Generation:
        if (generation := await tx.generations.get(generation_id)) is None:
            raise NotFound
        return generation

    patch.setattr(GalleryUseCase, "_owned", get_of_any_user)


def _post_separately(patch: pytest.MonkeyPatch, kind: EntryKind) -> None:
    """Post entries of this kind in a transaction of their own, after the transaction that they belong to."""
    begin, post = GatedStore.begin, LedgerPostings.post
    postponed: dict[int, list[Callable[[Transaction], Awaitable[object]]]] = {}

    @asynccontextmanager
    async def begin_twice(self: GatedStore) -> AsyncIterator[Transaction]:
        async with begin(self) as tx:
            postponed.pop(id(tx), None)
            yield tx
        for posting in postponed.pop(id(tx), []):
            async with begin(self) as second:
                await posting(second)

    async def postpone(
        self: LedgerPostings, tx: Transaction, user_id: str, of: EntryKind, amount: int, **why: Any
    ) -> bool:
        if of is not kind or why.get("actor") not in (None, user_id) or "operation" in why["reason"]:
            return await post(self, tx, user_id, of, amount, **why)
        postponed.setdefault(id(tx), []).append(lambda second: post(self, second, user_id, of, amount, **why))
        return True

    patch.setattr(GatedStore, "begin", begin_twice)
    patch.setattr(LedgerPostings, "post", postpone)


PLANTED: tuple[Plant, ...] = (
    no_fence_check,
    refund_outside_the_transaction,
    charge_outside_the_transaction,
    free_credits_outside_the_transaction,
    refund_without_unique_key,
    grant_without_unique_key,
    refund_by_hand_of_anything,
    no_renewal,
    renewal_that_ignores_the_fence,
    lease_judged_by_the_own_clock,
    dispatch_after_the_call,
    blobs_deleted_after_the_row,
    photo_stored_before_the_row,
    sweep_that_dispatches_again,
    no_sweep,
    key_checked_before_the_transaction,
    no_deadline,
    commit_error_taken_as_rollback,
    replay_runs_before_the_photo,
    failure_not_marked_untidy,
    mark_removed_before_the_blobs,
    tidied_before_late_writes_end,
    no_owner_check,
)
