"""The store and the blob store of a world, which check every change as it takes effect."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from plushify_adapters.memory import MemoryBlobStore, MemoryStore
from plushify_core import Generation, LedgerEntry, Status
from plushify_core.ports import Transaction
from tests import invariants
from tests.invariants import short
from tests.simulation.replica import Replica, acting

LIFE = {
    ("nothing", "pending"),
    ("pending", "pending"),
    ("pending", "running"),
    ("pending", "failed"),
    ("running", "succeeded"),
    ("running", "failed"),
    ("succeeded", "trashed"),
    ("failed", "trashed"),
    ("trashed", "succeeded"),
    ("trashed", "failed"),
    ("trashed", "purging"),
    ("purging", "purging"),
    ("purging", "nothing"),
}
"""Every step in the life of a generation."""


class Watch:
    """Checks what changes, and tells the first promise that is broken.

    Args:
        note: told of every change.
        object_to: told of every broken promise.
    """

    def __init__(self, *, note: Callable[[str], None], object_to: Callable[[str], None]) -> None:
        self.note = note
        self.object_to = object_to
        self.store = WatchedStore(self)
        self.blobs = WatchedBlobs(self)
        self._dispatched_by: dict[UUID, Replica] = {}

    def snapshot(self) -> invariants.Snapshot:
        """What is stored now."""
        return invariants.in_memory(self.store, self.blobs)

    def committed(
        self,
        rows: Mapping[UUID, Generation],
        new_rows: Mapping[UUID, Generation],
        entries: Mapping[UUID, LedgerEntry],
        new_entries: Mapping[UUID, LedgerEntry],
    ) -> None:
        """A transaction has been committed."""
        for entry_id, entry in entries.items():
            if new_entries.get(entry_id) is not entry:
                self.object_to(f"the entry {entry.kind} {entry.amount} of {entry.user_id} has changed")
        for entry_id, entry in new_entries.items():
            if entry_id not in entries:
                self.note(f"  {entry.user_id}: {entry.kind} {entry.amount:+d} ({entry.reason})")
        for generation_id in {**rows, **new_rows}:
            old, new = rows.get(generation_id), new_rows.get(generation_id)
            if new is not old:
                self._moved(generation_id, old, new)
        self._check()

    def stored(self, text: str) -> None:
        """The blob store has changed."""
        self.note(text)
        self._check()

    def _check(self) -> None:
        for violation in invariants.violations(self.snapshot()):
            self.object_to(violation)

    def _moved(self, generation_id: UUID, old: Generation | None, new: Generation | None) -> None:
        step = (_state(old), _state(new))
        row = new or old
        assert row is not None, "a row that was never there does not move"
        name, actor = short(generation_id), acting.get().name
        self.note(f"  generation {name} of {row.user_id}: {step[0]} -> {step[1]}, by {actor}")
        if step not in LIFE and step[0] != step[1]:
            self.object_to(f"generation {short(generation_id)} went from {step[0]} to {step[1]}")
        if new is not None and new.status is Status.RUNNING:
            self._dispatched_by[generation_id] = acting.get()
        if old is not None and old.status is Status.RUNNING:
            self._ended(old)

    def _ended(self, running: Generation) -> None:
        """Nobody takes a drawing out of the hands of a process that is awake and has time left."""
        owner = self._dispatched_by[running.id]
        if owner is not acting.get() and owner.awake and owner.clock() < running.deadline_at:
            self.object_to(f"{acting.get().name} ended generation {short(running.id)}, which {owner.name} was drawing")


def _state(generation: Generation | None) -> str:
    if generation is None:
        return "nothing"
    if generation.deleted_at is not None:
        return "purging" if generation.purging else "trashed"
    return generation.status.value


class WatchedStore(MemoryStore):
    """Shows each commit to the watch."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """A transaction."""
        async with super().begin() as tx:
            before = self._tables
            yield tx
        after = self._tables
        tables = ("generations", "entries", "model_calls")
        if any(getattr(before, table) != getattr(after, table) for table in tables):
            self._watch.committed(before.generations, after.generations, before.entries, after.entries)


class WatchedBlobs(MemoryBlobStore):
    """Shows each change of a blob to the watch."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store, and let it be checked."""
        await super().put(key, data, media_type=media_type)
        self._watch.stored(f"  blob {_name(key)} is stored")

    async def delete(self, key: str) -> None:
        """Remove, and let it be checked."""
        there = key in self.blobs
        await super().delete(key)
        if there:
            self._watch.stored(f"  blob {_name(key)} is removed")


def _name(key: str) -> str:
    _, generation_id, name = key.split("/")
    return f"{name} of generation {short(UUID(generation_id))}"
