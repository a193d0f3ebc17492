"""What must hold when it is quiet again. Each function tells what does not, as sentences; none is the goal."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from plushify_adapters.images import VipsImageCodec
from plushify_core import AuditUseCase, Billing, EntryKind, Finding, ModelCall, Outcome, Status, uuid7
from tests import invariants
from tests.chaos.bill import Billed, by_photo, digest, read_bill
from tests.chaos.site import LIMITS, Site
from tests.chaos.storm import Storm
from tests.chaos.visitor import End, Request, Visitor

QUIET = msgspec.structs.replace(LIMITS, lease_margin_s=0.001, late_write_s=0.001)
"""The auditor leaves alone what ended a moment ago. Here nothing is on its way any more."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What snapshot, what the model billed, what the auditor found, and everything that is wrong."""

    snapshot: invariants.Snapshot
    bill: Sequence[Billed]
    findings: Sequence[Finding]
    violations: Sequence[str]


async def judge(storm: Storm) -> Verdict:
    """Read everything there is, and compare it with everything that was promised."""
    site = storm.site
    findings = await _audit(site)
    users = [visitor.id for visitor in storm.visitors]
    snapshot = await invariants.read(site.store, site.blobs, users)
    bill = read_bill(site.model)
    violations = [
        *storm.troubles,
        *(_sentence(finding) for finding in findings),
        *invariants.violations(snapshot),
        *invariants.unsettled(snapshot),
        *_grants(storm, snapshot),
        *[wrong for visitor in storm.visitors for wrong in visitor.surprises],
        *[wrong async for wrong in _answers(storm)],
        *_rows(storm, snapshot),
        *[wrong async for wrong in _bills(storm.requests, snapshot, bill)],
    ]
    return Verdict(snapshot=snapshot, bill=bill, findings=findings, violations=violations)


async def _audit(site: Site) -> list[Finding]:
    """What `plushify doctor` finds."""
    auditor = AuditUseCase(
        store=site.store, blobs=site.blobs, clock=lambda: datetime.now(UTC), new_id=uuid7, limits=QUIET
    )
    return [finding async for finding in auditor.findings()]


def _sentence(finding: Finding) -> str:
    return f"{finding.disagreement}: {finding.subject}: {finding.detail}"


def granted(snapshot: invariants.Snapshot) -> int:
    """All credits that were ever granted."""
    return sum(entry.amount for entry in snapshot.entries if entry.kind is EntryKind.GRANT)


def spent(snapshot: invariants.Snapshot) -> int:
    """All credits that were taken and not given back."""
    return -sum(entry.amount for entry in snapshot.entries if entry.kind is not EntryKind.GRANT)


def _grants(storm: Storm, snapshot: invariants.Snapshot) -> Iterator[str]:
    free = storm.site.free_credits * len(storm.visitors)
    least = free + storm.grants.certain
    most = least + storm.grants.in_doubt
    found = granted(snapshot)
    if not least <= found <= most:
        yield f"{least} to {most} credits were granted, and the ledger has {found}"
    if found != sum(snapshot.balances.values()) + spent(snapshot):
        yield f"{found} credits were granted, {spent(snapshot)} spent, and the balances are {dict(snapshot.balances)}"


async def _answers(storm: Storm) -> AsyncIterator[str]:
    """Sends every request once more: the answer is what it was, and nothing is taken for it."""
    for visitor in storm.visitors:
        before = await visitor.balance()
        for request in visitor.requests:
            if not request.deleted and request.ends != {End.REFUSED}:
                await visitor.submit(request)
            if len(request.ends) != 1:
                yield f"{visitor.email}: {request.key} ended as {sorted(request.ends)}"
            if len(request.ids) > 1:
                yield f"{visitor.email}: {request.key} is {len(request.ids)} generations"
        after = await visitor.balance()
        if before != after:
            yield f"{visitor.email} had {before} credits, and {after} after nothing but replays"


def _rows(storm: Storm, snapshot: invariants.Snapshot) -> Iterator[str]:
    """What the users were told is what snapshot."""
    rows = {(row.user_id, row.idempotency_key): row for row in snapshot.generations.values()}
    for visitor in storm.visitors:
        for request in visitor.requests:
            row = rows.pop((visitor.id, request.key), None)
            if row is None:
                if not request.deleted and request.end is not End.REFUSED:
                    yield f"{visitor.email}: {request.key} has no row"
            elif str(row.status) != str(request.end) or (request.ids and {str(row.id)} != request.ids):
                yield f"{visitor.email} was told that {request.key} {request.end}, and it is {row.status}"
        yield from _spending(visitor, snapshot)
    yield from (f"nobody asked for the generation {row.id}" for row in rows.values())


def _spending(visitor: Visitor, snapshot: invariants.Snapshot) -> Iterator[str]:
    expected = sum(request.price for request in visitor.requests if request.end is End.SUCCEEDED)
    found = -sum(
        entry.amount for entry in snapshot.entries if entry.user_id == visitor.id and entry.kind is not EntryKind.GRANT
    )
    if found != expected:
        yield f"{visitor.email} got pictures for {expected} credits, and paid {found}"


async def _bills(
    requests: Sequence[Request], snapshot: invariants.Snapshot, bill: Sequence[Billed]
) -> AsyncIterator[str]:
    """The model is paid once at most, and what it was paid is on record."""
    codec = VipsImageCodec()
    calls = by_photo(bill)
    records = _records(snapshot)
    for request in requests:
        photo = await codec.sanitise(request.photo, max_pixels=LIMITS.max_pixels)
        for wrong in wrong_in_bill(calls.pop(digest(photo.data), []), records.get(request.key)):
            yield f"{request.key}: {wrong}"
    for stray in calls.values():
        yield f"the model was asked {len(stray)} times for a photo that nobody sent"


def _records(snapshot: invariants.Snapshot) -> dict[str | None, ModelCall]:
    """The recorded calls by idempotency key, which no two users share here. Erased generations have no key any more."""
    keys = {row.id: row.idempotency_key for row in snapshot.generations.values()}
    return {keys[generation_id]: call for generation_id, call in snapshot.calls.items() if generation_id in keys}


def wrong_in_bill(calls: Sequence[Billed], record: ModelCall | None) -> Iterator[str]:
    """What one generation's calls must not be, with or without the record of its call."""
    if any(call.cost_usd != 0 for call in calls[:-1]):
        yield f"the model was called again after a call that was, or may have been, billed: {calls}"
    if record is None:
        return
    cost = sum(call.cost_usd or 0 for call in calls)
    if record.billing is Billing.NOT_BILLED and cost:
        yield f"{cost} USD were billed, and the record says that nothing was"
    if record.billing is Billing.BILLED and round((record.facts.cost_nano_usd or 0) / 1e9, 6) != round(cost, 6):
        yield f"{cost} USD were billed, and the record says {record.facts.cost_nano_usd} nano-dollars"
    if record.outcome is Outcome.SUCCEEDED and not calls:
        yield "it succeeded, and the model was never called"


def ends(snapshot: invariants.Snapshot) -> Counter[str]:
    """How many generations there are by their end; erased ones are told from the ledger."""
    found: Counter[str] = Counter()
    for row in snapshot.generations.values():
        found[Status.SUCCEEDED if row.failure is None else f"failed ({row.failure.reason})"] += 1
    erased: set[UUID] = {entry.generation_id for entry in snapshot.entries if entry.generation_id is not None}
    found["deleted and erased"] = len(erased - snapshot.generations.keys())
    return found
