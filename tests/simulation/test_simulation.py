"""Tests of Plushify in simulated worlds: no promise is broken, whatever fails."""

from collections import Counter

import pytest

from tests.simulation.__main__ import main
from tests.simulation.plan import MAX_SKEW_S, Kind, random_plan
from tests.simulation.replica import LATE_WRITE_S, LIMITS
from tests.simulation.world import simulate

SEEDS = range(100)

FAULTS = {
    "crash after",
    "crash before",
    "error",
    "freeze",
    "kill",
    "late write",
    "lost answer",
    "redeploy",
    "slow",
}


def test_worlds() -> None:
    """No promise is broken in a fixed set of worlds, and every kind of fault happens in some of them."""
    reports = {seed: simulate(random_plan(seed)) for seed in SEEDS}

    assert {seed: report.violation for seed, report in reports.items() if report.violation} == {}
    faults: Counter[str] = sum((report.faults for report in reports.values()), Counter())
    assert FAULTS - faults.keys() == set()


def test_same_seed_same_world() -> None:
    """The same seed gives the same world, to the last line of its trace."""
    assert simulate(random_plan(7)) == simulate(random_plan(7))


def test_plans_have_everything() -> None:
    """Every kind of operation happens in some of the worlds."""
    kinds = {operation.kind for seed in SEEDS for operation in random_plan(seed).operations}

    assert kinds == set(Kind)


def test_late_writes_end() -> None:
    """Simulated late writes end within the limit. The clocks of the replicas differ by more than a lease."""
    assert LIMITS.late_write_s > LATE_WRITE_S
    assert LIMITS.lease_s < MAX_SKEW_S


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A run prints the number of worlds, steps and faults, and the speed."""
    assert main(["--first", "3", "--steps", "1"]) == 0

    out = capsys.readouterr().out
    assert "simulating worlds, starting with seed 3\nworlds: 1, steps: " in out
    assert "no promise was broken" in out


def test_replay(capsys: pytest.CaptureFixture[str]) -> None:
    """`--seed` prints the trace of one world."""
    assert main(["--seed", "3"]) == 0

    assert tuple(capsys.readouterr().out.splitlines()) == simulate(random_plan(3)).trace
