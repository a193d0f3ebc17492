"""Run of one storm at one site, from the start of the servers to the verdict."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.chaos import cluster, single_machine
from tests.chaos.plan import Plan
from tests.chaos.report import report
from tests.chaos.storm import Storm
from tests.chaos.verdict import judge

SITES = {"cluster": (cluster.cluster, cluster.KINDS), "machine": (single_machine.single_machine, single_machine.KINDS)}


class Result(msgspec.Struct, frozen=True):
    """Lines of the report, and the violations among them."""

    lines: Sequence[str]
    violations: Sequence[str]


async def run(
    name: str, folder: Path, *, seed: int, generations: int, kills: int, replicas: int = 2, spacing_s: float = 5.0
) -> Result:
    """Carry out the plan with this seed.

    Args:
        name: name of the site, `cluster` or `machine`.
        folder: folder for the logs of the replicas.
        seed, generations, kills, replicas, spacing_s: as in `Plan`.
    """
    make, kinds = SITES[name]
    plan = Plan(seed=seed, generations=generations, kills=kills, others=kinds, replicas=replicas, spacing_s=spacing_s)
    with make(folder, free_credits=4 * generations // plan.users + 40) as site:
        storm = Storm(plan, site)
        try:
            await storm.run()
            verdict = await judge(storm)
        finally:
            await storm.aclose()
    return Result(list(report(storm, verdict)), verdict.violations)
