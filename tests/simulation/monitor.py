"""Monitored store and blob store of a world: they check every change when it takes effect."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from plushify_adapters.memory import MemoryBlobStore, MemoryStore
from plushify_core import Generation, LedgerEntry, Status
from plushify_core.ports import Transaction
from tests import invariants, virtual_time
from tests.invariants import short
from tests.simulation.replica import Replica, current_replica

NO_ROW = "no row"

TRANSITIONS = {
    (NO_ROW, "pending"),
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
    ("purging", NO_ROW),
}
"""Legal transitions of a generation."""


class Monitor:
    """Checks every change in the store and the blob store.

    Args:
        record: called with a description of every change.
        report_violation: called with every broken promise.

    Attributes:
        faults_end_s: virtual time at which the latest fault of any process ends.
        purged_successes: ids of the purged generations that had succeeded. Their users paid for them, and no row shows
            it any more.
    """

    def __init__(self, *, record: Callable[[str], None], report_violation: Callable[[str], None]) -> None:
        self.record = record
        self.report_violation = report_violation
        self.store = MonitoredStore(self)
        self.blobs = MonitoredBlobs(self)
        self.purged_successes: set[UUID] = set()
        self.faults_end_s = 0.0
        self._dispatched_by: dict[UUID, Replica] = {}

    def snapshot(self) -> invariants.Snapshot:
        """Return everything that is stored now."""
        return invariants.in_memory(self.store, self.blobs)

    def on_commit(
        self,
        rows: Mapping[UUID, Generation],
        new_rows: Mapping[UUID, Generation],
        entries: Mapping[UUID, LedgerEntry],
        new_entries: Mapping[UUID, LedgerEntry],
    ) -> None:
        """Record and check the changes of a transaction that has just been committed."""
        for entry_id, entry in entries.items():
            if new_entries.get(entry_id) is not entry:
                self.report_violation(f"the entry {entry.kind} {entry.amount} of {entry.user_id} has changed")
        for entry_id, entry in new_entries.items():
            if entry_id not in entries:
                self.record(f"  {entry.user_id}: {entry.kind} {entry.amount:+d} ({entry.reason})")
        for generation_id in {**rows, **new_rows}:
            old, new = rows.get(generation_id), new_rows.get(generation_id)
            if new is not old:
                self._check_transition(generation_id, old, new)
        self._check_invariants()

    def on_blob_change(self, text: str) -> None:
        """Record and check a change of the blob store."""
        self.record(text)
        self._check_invariants()

    def _check_invariants(self) -> None:
        for violation in invariants.violations(self.snapshot()):
            self.report_violation(violation)

    def _check_transition(self, generation_id: UUID, old: Generation | None, new: Generation | None) -> None:
        before, after = _state(old), _state(new)
        row = new or old
        assert row is not None, "a changed generation has a row before or after the change"
        name, replica = short(generation_id), current_replica.get()
        self.record(f"  generation {name} of {row.user_id}: {before} -> {after}, by {replica.name}")
        if (before, after) not in TRANSITIONS and before != after:
            self.report_violation(f"illegal transition of generation {name}: {before} -> {after}")
        if new is not None and new.status is Status.RUNNING:
            self._dispatched_by[generation_id] = replica
        if old is not None and old.status is Status.RUNNING:
            self._check_owner(old, new)
        if old is not None and old.status is Status.SUCCEEDED and new is None:
            self.purged_successes.add(generation_id)

    def _check_owner(self, running: Generation, new: Generation | None) -> None:
        """Check that no other process changes a running generation before its lease expires."""
        owner, replica = self._dispatched_by[running.id], current_replica.get()
        assert running.lease_until is not None, "a running generation has a lease"
        if owner is not replica and virtual_time.now() < running.lease_until:
            change = "ended" if new is None or new.finished else "changed"
            self.report_violation(f"{replica.name} {change} generation {short(running.id)}, leased to {owner.name}")
        if owner is not replica and owner.responsive and owner.runs(running.id):
            quiet_s = asyncio.get_running_loop().time() - self.faults_end_s
            if quiet_s > 2 * owner.plushify.limits.lease_s:  # enough for several renewals
                self.report_violation(f"{owner.name} runs generation {short(running.id)}, and lost its lease")


def _state(generation: Generation | None) -> str:
    if generation is None:
        return NO_ROW
    if generation.deleted_at is not None:
        return "purging" if generation.purging else "trashed"
    return generation.status.value


class MonitoredStore(MemoryStore):
    """Store that passes each commit to the monitor."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__(clock=virtual_time.now)
        self._monitor = monitor

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Begin a transaction whose commit is checked."""
        async with super().begin() as tx:
            before = self._tables
            yield tx
        after = self._tables
        tables = ("generations", "entries", "model_calls")
        if any(getattr(before, table) != getattr(after, table) for table in tables):
            self._monitor.on_commit(before.generations, after.generations, before.entries, after.entries)


class MonitoredBlobs(MemoryBlobStore):
    """Blob store that passes each change to the monitor."""

    def __init__(self, monitor: Monitor) -> None:
        super().__init__()
        self._monitor = monitor

    async def put(self, key: str, data: bytes, *, media_type: str) -> None:
        """Store the blob, and check the change."""
        await super().put(key, data, media_type=media_type)
        self._monitor.on_blob_change(f"  blob {_name(key)} is stored")

    async def delete(self, key: str) -> None:
        """Delete the blob, and check the change if it existed."""
        existed = key in self.blobs
        await super().delete(key)
        if existed:
            self._monitor.on_blob_change(f"  blob {_name(key)} is deleted")


def _name(key: str) -> str:
    _, generation_id, name = key.split("/")
    return f"{name} of generation {short(UUID(generation_id))}"
