"""Report: the figures of a run as text."""

from collections import Counter
from collections.abc import Iterator
from statistics import median

from plushify_core import Disagreement
from tests.chaos.plan import KILLS, Kind
from tests.chaos.storm import Storm
from tests.chaos.verdict import Verdict, count_by_result, granted, spent


def report(storm: Storm, verdict: Verdict) -> Iterator[str]:
    """Yield the lines of the report."""
    snapshot = verdict.snapshot
    by_result = count_by_result(snapshot)
    yield f"seed {storm.plan.seed}: {storm.site.name}, {len(storm.replicas)} replicas, {storm.duration_s:.0f} s"
    yield f"  generations      {by_result.total()}: {_counted(by_result)}"
    attempts = sum(user.attempts for user in storm.users)
    yield f"  requests         {len(storm.requests)} submissions, {attempts} HTTP requests sent"
    yield f"  faults           {_counted(storm.fault_counts)}; {sum(storm.fault_counts[kind] for kind in KILLS)} kills"
    balances = sum(snapshot.balances.values())
    yield f"  credits          {granted(snapshot)} granted = {balances} in balances + {spent(snapshot)} spent"
    billed = [call for call in verdict.bill if call.cost_usd]
    photos = Counter(call.photo for call in billed)
    yield (
        f"  model calls      {len(verdict.bill)} received, {len(billed)} billed by the model; "
        f"at most {max(photos.values(), default=0)} billed per generation"
    )
    found = Counter(finding.disagreement for finding in verdict.findings)
    yield (
        f"  audit            {found[Disagreement.BALANCE]} wrong balances, {found[Disagreement.ENTRIES]} wrong prices, "
        f"{found[Disagreement.LEASE]} expired leases, {found[Disagreement.BLOB_MISSING]} missing blobs, "
        f"{found[Disagreement.BLOB_UNKNOWN]} orphaned blobs"
    )
    yield f"  after a kill     {_recovery([recovery.seconds for recovery in storm.recoveries])}"
    yield f"  violations       {len(verdict.violations)}"
    yield from (f"    {violation}" for violation in verdict.violations)


def _counted(counter: Counter[Kind] | Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counter.most_common())


def _recovery(seconds: list[float]) -> str:
    if not seconds:
        return "no generation was left unfinished"
    count, p50_s, max_s = len(seconds), median(seconds), max(seconds)
    return f"{count} generations left unfinished, settled after {p50_s:.1f} s (p50), {max_s:.1f} s (max)"
