"""Tests of the plan of a storm."""

from itertools import islice

from tests.chaos import cluster
from tests.chaos.plan import KILLS, Kind, Plan


def test_same_seed_same_plan() -> None:
    """The same seed gives the same faults, requests and answers of the model; another seed gives others."""

    def planned(seed: int) -> tuple[object, ...]:
        plan = Plan(seed=seed, others=cluster.KINDS)
        return plan.faults(), plan.answers(), [list(islice(plan.requests(user), 20)) for user in range(plan.users)]

    assert planned(7) == planned(7)
    assert planned(7) != planned(8)


def test_plans_kill_as_often_as_asked_and_have_every_fault() -> None:
    """A plan has the requested number of kills, and every kind of fault."""
    faults = [fault.kind for fault in Plan(seed=7, kills=20, others=cluster.KINDS).faults()]

    assert sum(kind in KILLS for kind in faults) == 20
    assert set(faults) == {*KILLS, *cluster.KINDS, Kind.STOP, Kind.GRANT}
