"""Tests of the simulator itself: it finds planted mistakes."""

import pytest

from tests.simulation.__main__ import main
from tests.simulation.plan import random_plan
from tests.simulation.planted import PLANTED, Plant, sweep_that_dispatches_again
from tests.simulation.shrink import Shrinker
from tests.simulation.world import simulate

MAX_SEEDS = 400
"""Number of worlds in which each mistake must be found. The rarest ones show in about 15 of 1000 worlds."""


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_mistakes_are_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake breaks a promise in one of the first worlds."""
    plant(monkeypatch)

    assert any(simulate(random_plan(seed)).violation for seed in range(MAX_SEEDS))


def test_shortest_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing world shrinks to little more than the failure needs: here, a request and a crash."""
    sweep_that_dispatches_again(monkeypatch)
    # The mistake also leaves pending generations unfinished, which needs more faults than one crash.
    symptom = "running -> pending"
    # A late write keeps a process busy until it crashes while it renews its lease. Then the shortest trace needs both.
    plans = (plan for plan in map(random_plan, range(MAX_SEEDS)) if not plan.rates.late_write)
    plan = next(plan for plan in plans if symptom in (simulate(plan).violation or ""))

    smaller, report = Shrinker(plan, simulate(plan)).shrink()

    assert report == simulate(smaller)
    assert report.violation is not None
    assert len(smaller.operations) <= 2
    assert len(report.fault_names) <= 2
    assert len(report.trace) < len(simulate(plan).trace)


def test_failing_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that breaks a promise prints the seed, the shortest trace, the statements, and the command to replay it."""
    sweep_that_dispatches_again(monkeypatch)

    assert main(["--first", "0", "--steps", "1000000"]) == 1

    out = capsys.readouterr().out
    seed = next(seed for seed in range(MAX_SEEDS) if simulate(random_plan(seed)).violation)
    assert f"\nSEED {seed}: " in out
    assert "VIOLATION: " in out
    assert "statement of " in out
    assert f"replay: nox -s simulate -- --seed {seed}\n" in out
    assert main(["--seed", str(seed)]) == 1
