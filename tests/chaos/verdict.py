"""Verdict on a storm: compares the data, the responses and the bill of the model with the promises.

Each check yields one sentence per violation.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from uuid import UUID

import msgspec

from plushify_adapters.images import VipsImageCodec
from plushify_core import AuditUseCase, Billing, EntryKind, Finding, ModelCall, Outcome, Status, utc_now, uuid7
from tests import invariants
from tests.chaos.bill import ReceivedCall, by_photo, digest, read_bill
from tests.chaos.site import LIMITS, Site
from tests.chaos.storm import Storm
from tests.chaos.user import End, Request, User

AUDIT_LIMITS = msgspec.structs.replace(LIMITS, timeout_s=0.001, settle_timeout_s=0.001, late_write_s=0.001)
"""Limits with which the audit also examines generations that have just ended, because no process works on them."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Result of the checks.

    Args:
        snapshot: all stored data.
        bill: calls that the model received.
        findings: findings of the audit.
        violations: all violations, the findings among them.
    """

    snapshot: invariants.Snapshot
    bill: Sequence[ReceivedCall]
    findings: Sequence[Finding]
    violations: Sequence[str]


async def judge(storm: Storm) -> Verdict:
    """Read all data, and check every promise."""
    site = storm.site
    findings = await _audit(site)
    users = [user.id for user in storm.users]
    snapshot = await invariants.read(site.store, site.blobs, users)
    bill = read_bill(site.model)
    violations = [
        *storm.problems,
        *(_sentence(finding) for finding in findings),
        *invariants.violations(snapshot),
        *invariants.unsettled(snapshot),
        *_grant_violations(storm, snapshot),
        *[violation for user in storm.users for violation in user.violations],
        *[violation async for violation in _replay_violations(storm)],
        *_row_violations(storm, snapshot),
        *[violation async for violation in _bill_violations(storm.requests, snapshot, bill)],
    ]
    return Verdict(snapshot=snapshot, bill=bill, findings=findings, violations=violations)


async def _audit(site: Site) -> list[Finding]:
    """Return the findings of `plushify doctor`."""
    audit = AuditUseCase(store=site.store, blobs=site.blobs, clock=utc_now, new_id=uuid7, limits=AUDIT_LIMITS)
    return [finding async for finding in audit.findings()]


def _sentence(finding: Finding) -> str:
    return f"{finding.disagreement}: {finding.subject}: {finding.detail}"


def granted(snapshot: invariants.Snapshot) -> int:
    """Return the sum of all grants in credits."""
    return sum(entry.amount for entry in snapshot.entries if entry.kind is EntryKind.GRANT)


def spent(snapshot: invariants.Snapshot) -> int:
    """Return the sum of all charges minus all refunds in credits."""
    return -sum(entry.amount for entry in snapshot.entries if entry.kind is not EntryKind.GRANT)


def _grant_violations(storm: Storm, snapshot: invariants.Snapshot) -> Iterator[str]:
    free = storm.site.free_credits * len(storm.users)
    least = free + storm.grants.certain
    most = least + storm.grants.uncertain
    found = granted(snapshot)
    if not least <= found <= most:
        yield f"{least} to {most} credits were granted, and the ledger has {found}"
    if found != sum(snapshot.balances.values()) + spent(snapshot):
        yield f"{found} credits were granted, {spent(snapshot)} spent, and the balances are {dict(snapshot.balances)}"


async def _replay_violations(storm: Storm) -> AsyncIterator[str]:
    """Replay every request: it must get the same response, and cost nothing."""
    for user in storm.users:
        before = await user.balance()
        for request in user.requests:
            if not request.deleted and request.ends != {End.REFUSED}:
                await user.submit(request)
            if len(request.ends) != 1:
                yield f"{user.email}: {request.key} got the final responses {sorted(request.ends)}"
            if len(request.ids) > 1:
                yield f"{user.email}: {request.key} made {len(request.ids)} generations"
        after = await user.balance()
        if before != after:
            yield f"{user.email} had {before} credits before replays, and {after} after them"


def _row_violations(storm: Storm, snapshot: invariants.Snapshot) -> Iterator[str]:
    """Compare the rows with the final responses."""
    rows = {(row.user_id, row.idempotency_key): row for row in snapshot.generations.values()}
    for user in storm.users:
        for request in user.requests:
            row = rows.pop((user.id, request.key), None)
            if row is None:
                if not request.deleted and request.end is not End.REFUSED:
                    yield f"{user.email}: {request.key} has no row"
            elif str(row.status) != str(request.end) or (request.ids and {str(row.id)} != request.ids):
                yield f"{user.email}: the response to {request.key} is {request.end}, but the row is {row.status}"
        yield from _charge_violations(user, snapshot)
    yield from (f"no user requested the generation {row.id}" for row in rows.values())


def _charge_violations(user: User, snapshot: invariants.Snapshot) -> Iterator[str]:
    expected = sum(request.price for request in user.requests if request.end is End.SUCCEEDED)
    found = -sum(
        entry.amount for entry in snapshot.entries if entry.user_id == user.id and entry.kind is not EntryKind.GRANT
    )
    if found != expected:
        yield f"{user.email} received pictures for {expected} credits, but paid {found}"


async def _bill_violations(
    requests: Sequence[Request], snapshot: invariants.Snapshot, bill: Sequence[ReceivedCall]
) -> AsyncIterator[str]:
    """Check for each request that the model was paid at most once, and that the cost is recorded."""
    codec = VipsImageCodec()
    calls = by_photo(bill)
    records = _records(snapshot)
    for request in requests:
        photo = await codec.sanitise(request.photo, max_pixels=LIMITS.max_pixels)
        for violation in billing_violations(calls.pop(digest(photo.data), []), records.get(request.key)):
            yield f"{request.key}: {violation}"
    for stray in calls.values():
        yield f"the model received {len(stray)} calls for a photo that no user sent"


def _records(snapshot: invariants.Snapshot) -> dict[str | None, ModelCall]:
    """Return the recorded calls by idempotency key, which no two users share here. Purged generations are left out."""
    keys = {row.id: row.idempotency_key for row in snapshot.generations.values()}
    return {keys[generation_id]: call for generation_id, call in snapshot.calls.items() if generation_id in keys}


def billing_violations(calls: Sequence[ReceivedCall], record: ModelCall | None) -> Iterator[str]:
    """Yield the violations in the calls for one generation. `record` is None if the generation was purged."""
    if any(call.cost_usd != 0 for call in calls[:-1]):
        yield f"the model was called again after a call that was, or may have been, billed: {calls}"
    if record is None:
        return
    cost = sum(call.cost_usd or 0 for call in calls)
    if record.billing is Billing.NOT_BILLED and cost:
        yield f"{cost} USD were billed, and the record says that nothing was billed"
    if record.billing is Billing.BILLED and round((record.facts.cost_nano_usd or 0) / 1e9, 6) != round(cost, 6):
        yield f"{cost} USD were billed, and the record says {record.facts.cost_nano_usd} nano-dollars"
    if record.outcome is Outcome.SUCCEEDED and not calls:
        yield "the generation succeeded, but the model was never called"


def count_by_result(snapshot: invariants.Snapshot) -> Counter[str]:
    """Return the number of generations by result. Purged generations are counted from the ledger."""
    found: Counter[str] = Counter()
    for row in snapshot.generations.values():
        found[Status.SUCCEEDED if row.failure is None else f"failed ({row.failure.reason})"] += 1
    purged: set[UUID] = {entry.generation_id for entry in snapshot.entries if entry.generation_id is not None}
    found["deleted and purged"] = len(purged - snapshot.generations.keys())
    return found
