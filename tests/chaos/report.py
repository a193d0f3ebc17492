"""The figures of a run, for people."""

from collections import Counter
from collections.abc import Iterator
from statistics import median

from plushify_core import Disagreement
from tests.chaos.plan import KILLS, Kind
from tests.chaos.storm import Storm
from tests.chaos.verdict import Verdict, ends, granted, spent


def report(storm: Storm, verdict: Verdict) -> Iterator[str]:
    """The lines of the report."""
    snapshot = verdict.snapshot
    by_end = ends(snapshot)
    yield f"seed {storm.plan.seed}: {storm.site.name}, {len(storm.replicas)} replicas, {storm.seconds:.0f} s"
    yield f"  generations      {by_end.total()}: {_counted(by_end)}"
    attempts = sum(visitor.attempts for visitor in storm.visitors)
    yield f"  requests         {len(storm.requests)} submissions, {attempts} HTTP requests sent"
    yield f"  faults           {_counted(storm.done)}; {sum(storm.done[kind] for kind in KILLS)} kills"
    balances = sum(snapshot.balances.values())
    yield f"  credits          {granted(snapshot)} granted = {balances} in balances + {spent(snapshot)} spent"
    billed = [call for call in verdict.bill if call.cost_usd]
    photos = Counter(call.photo for call in billed)
    yield (
        f"  model calls      {len(verdict.bill)} made, {len(billed)} billed by the model; "
        f"{max(photos.values(), default=0)} billed per generation at most"
    )
    found = Counter(finding.disagreement for finding in verdict.findings)
    yield (
        f"  audit            {found[Disagreement.BALANCE]} balances wrong, {found[Disagreement.ENTRIES]} prices wrong, "
        f"{found[Disagreement.LEASE]} stranded leases, {found[Disagreement.BLOB_MISSING]} blobs missing, "
        f"{found[Disagreement.BLOB_UNKNOWN]} orphans"
    )
    yield f"  after a kill     {_settling([struck.seconds for struck in storm.struck])}"
    yield f"  violations       {len(verdict.violations)}"
    yield from (f"    {violation}" for violation in verdict.violations)


def _counted(counter: Counter[Kind] | Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counter.most_common())


def _settling(seconds: list[float]) -> str:
    if not seconds:
        return "nothing was left behind"
    return f"{len(seconds)} left behind, settled after {median(seconds):.1f} s (p50), {max(seconds):.1f} s (max)"
