"""Promises about credits, rows and blobs, as checks of everything that is stored.

The checks share no code with the use cases, so a bug there cannot hide itself here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from uuid import UUID

import msgspec

from plushify_adapters.memory import MemoryBlobStore, MemoryStore
from plushify_core import SYSTEM, EntryKind, Generation, LedgerEntry, ModelCall, Outcome, Status
from plushify_core.ports import BlobStore, Store


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is stored at one moment. `balances` are by user id, `blobs` are keys."""

    generations: Mapping[UUID, Generation]
    balances: Mapping[str, int]
    entries: Collection[LedgerEntry]
    calls: Mapping[UUID, ModelCall]
    blobs: Collection[str]


def in_memory(store: MemoryStore, blobs: MemoryBlobStore) -> Snapshot:
    """Return a snapshot of the in-memory adapters, without a transaction, so that it can be taken at any moment."""
    tables = store._tables
    return Snapshot(
        generations=tables.generations,
        balances={user: subscription.balance for user, subscription in tables.subscriptions.items()},
        entries=tables.entries.values(),
        calls=tables.model_calls,
        blobs=blobs.blobs.keys(),
    )


async def read(store: Store, blobs: BlobStore, users: Collection[str]) -> Snapshot:
    """Return a snapshot of the data of these users, read through the ports."""
    async with store.begin() as tx:
        generations = await tx.audit.scan(after=None, limit=10_000)
        entries = [entry for user in users for entry in await tx.credits.entries(user, after=None, limit=10_000)]
        subscriptions = [await tx.credits.subscription(user) for user in users]
        ids = {entry.generation_id for entry in entries if entry.generation_id is not None}
        calls = [await tx.model_calls.get(generation_id) for generation_id in ids]
    return Snapshot(
        generations={generation.id: generation for generation in generations if generation.user_id in users},
        balances={found.user_id: found.balance for found in subscriptions if found is not None},
        entries=entries,
        calls={call.generation_id: call for call in calls if call is not None},
        blobs=[key async for key in blobs.keys("generations/")],
    )


def violations(snapshot: Snapshot) -> Iterator[str]:
    """Yield every violated promise that must hold at any moment, even after a crash."""
    yield from _balances(snapshot)
    yield from _prices(snapshot)
    yield from _calls(snapshot)
    yield from _blobs(snapshot)
    yield from _leases(snapshot)


def unsettled(snapshot: Snapshot) -> Iterator[str]:
    """Yield everything that is unfinished, although all processes are up again and the sweeps are done."""
    for generation in snapshot.generations.values():
        if not generation.finished:
            yield f"{_name(generation)} is still {generation.status}"
            continue
        if generation.purging:
            yield f"{_name(generation)} is still being purged"
        if generation.untidy_since is not None and generation.deleted_at is None:
            yield f"{_name(generation)} has failed, and its orphaned blobs are not removed"
        for key in snapshot.blobs:
            if key.startswith(generation.blob_prefix) and key not in generation.blob_keys:
                yield f"{_name(generation)} is {generation.status} and does not name {key.rpartition('/')[2]}"


def _balances(snapshot: Snapshot) -> Iterator[str]:
    sums: defaultdict[str, int] = defaultdict(int)
    for entry in snapshot.entries:
        sums[entry.user_id] += entry.amount
    for user in sums.keys() | snapshot.balances.keys():
        balance = snapshot.balances.get(user)
        if balance != sums[user] or sums[user] < 0:
            yield f"{user} has a balance of {balance} and entries of {sums[user]}"


def _prices(snapshot: Snapshot) -> Iterator[str]:
    by_generation: defaultdict[UUID, list[LedgerEntry]] = defaultdict(list)
    for entry in snapshot.entries:
        if entry.generation_id is not None:
            by_generation[entry.generation_id].append(entry)
    keys: set[tuple[str, str]] = set()
    for generation in snapshot.generations.values():
        posted = by_generation.pop(generation.id, [])
        amounts = [entry.amount for entry in posted]
        # An operator may refund a delivered picture. A refund of the system means that it is free.
        by_hand = any(entry.kind is EntryKind.REFUND and entry.actor != SYSTEM for entry in posted)
        is_refunded = generation.status is Status.FAILED or (generation.status is Status.SUCCEEDED and by_hand)
        expected = 0 if is_refunded else -generation.credits_cost
        if sum(amounts) != expected or len(amounts) > 2:
            yield f"{_name(generation)} is {generation.status}, costs {generation.credits_cost}, has entries {amounts}"
        if generation.idempotency_key is not None:
            key = (generation.user_id, generation.idempotency_key)
            if key in keys:
                yield f"{key} is the key of two generations"
            keys.add(key)
    for generation_id, entries in by_generation.items():  # the generation was purged
        amounts = [entry.amount for entry in sorted(entries, key=lambda entry: entry.kind is EntryKind.REFUND)]
        if not (amounts[0] < 0 and (len(amounts) == 1 or amounts[1:] == [-amounts[0]])):
            yield f"the purged generation {short(generation_id)} has entries {amounts}"


def _calls(snapshot: Snapshot) -> Iterator[str]:
    for generation in snapshot.generations.values():
        call = snapshot.calls.get(generation.id)
        if generation.status is Status.PENDING and call is not None:
            yield f"{_name(generation)} is pending, and the model has been called"
        if generation.status in (Status.RUNNING, Status.SUCCEEDED) and call is None:
            yield f"{_name(generation)} is {generation.status}, and its model call is not recorded"
        if call is not None and (call.outcome is Outcome.CALLING) is not (generation.status is Status.RUNNING):
            yield f"{_name(generation)} is {generation.status}, and its call is {call.outcome}"


def _leases(snapshot: Snapshot) -> Iterator[str]:
    for generation in snapshot.generations.values():
        if generation.finished and generation.lease_until is not None:
            yield f"{_name(generation)} is {generation.status}, and has a lease"


def _blobs(snapshot: Snapshot) -> Iterator[str]:
    for key in snapshot.blobs:
        if UUID(key.split("/")[1]) not in snapshot.generations:
            yield f"the blob {key} has no row"
    for generation in snapshot.generations.values():
        if generation.purging or generation.status is Status.PENDING:
            continue  # its blobs are being stored or removed
        for key in generation.blob_keys:
            if key not in snapshot.blobs:
                yield f"{_name(generation)} is {generation.status}, and its {key.rpartition('/')[2]} is missing"


def short(generation_id: UUID) -> str:
    """Return the last four digits of an id, for messages."""
    return generation_id.hex[-4:]


def _name(generation: Generation) -> str:
    return f"generation {short(generation.id)} of {generation.user_id}"
