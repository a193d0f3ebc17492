"""Worlds in which everything fails, and no promise is broken."""

from collections import Counter

import pytest

from tests.simulation.__main__ import main
from tests.simulation.plan import MAX_SKEW_S, Kind, draw
from tests.simulation.replica import LATE_WRITE_S, LIMITS
from tests.simulation.world import simulate

SEEDS = range(100)

FAULTS = {
    "error",
    "freeze",
    "kill",
    "late write",
    "lost answer",
    "power cut after",
    "power cut before",
    "redeploy",
    "slow",
}


def test_worlds() -> None:
    """In a fixed set of worlds no promise is broken, and every kind of fault happens in some of them."""
    reports = {seed: simulate(draw(seed)) for seed in SEEDS}

    assert {seed: report.broken for seed, report in reports.items() if report.broken} == {}
    faults: Counter[str] = sum((report.faults for report in reports.values()), Counter())
    assert FAULTS - faults.keys() == set()


def test_same_seed_same_world() -> None:
    """A seed gives the same world, to the last line of its trace."""
    assert simulate(draw(7)) == simulate(draw(7))


def test_plans_have_everything() -> None:
    """Every kind of operation happens in some of the worlds."""
    drawn = {operation.kind for seed in SEEDS for operation in draw(seed).operations}

    assert drawn == set(Kind)


def test_late_writes_end() -> None:
    """The one thing that the worlds take for granted: no storage writes on for longer than the limit says, whichever
    two clocks it is measured by."""
    assert LIMITS.late_write_s >= LATE_WRITE_S + 2 * MAX_SKEW_S


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A run reports worlds, steps, faults and speed."""
    assert main(["--first", "3", "--steps", "1"]) == 0

    out = capsys.readouterr().out
    assert "worlds from seed 3 on\n1 worlds, " in out
    assert "no promise was broken" in out


def test_replay(capsys: pytest.CaptureFixture[str]) -> None:
    """One world, by its seed, is printed line by line."""
    assert main(["--seed", "3"]) == 0

    assert tuple(capsys.readouterr().out.splitlines()) == simulate(draw(3)).trace
