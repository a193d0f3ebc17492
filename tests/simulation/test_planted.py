"""The simulator finds bugs."""

import pytest

from tests.simulation.__main__ import main
from tests.simulation.plan import draw
from tests.simulation.planted import PLANTED, Plant, sweep_that_dispatches_again
from tests.simulation.shrink import Shrinking
from tests.simulation.world import simulate

MAX_SEEDS = 400
"""The rarest of the planted mistakes needs a success that comes after its own refund: about 170 worlds."""


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_planted_mistakes_are_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake breaks a promise in one of the first worlds."""
    plant(monkeypatch)

    assert any(simulate(draw(seed)).broken for seed in range(MAX_SEEDS))


def test_shortest_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing world is shown with little more than it needs: here, a request and the death of its process."""
    sweep_that_dispatches_again(monkeypatch)
    plan = next(plan for plan in map(draw, range(MAX_SEEDS)) if simulate(plan).broken)

    smaller, report = Shrinking(plan, simulate(plan)).shrink()

    assert report == simulate(smaller)
    assert report.broken is not None
    assert len(smaller.operations) <= 2
    assert len(report.fault_names) <= 2
    assert len(report.trace) < len(simulate(plan).trace)


def test_failing_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that breaks a promise prints the seed, the shortest trace, the statements, and how to see it again."""
    sweep_that_dispatches_again(monkeypatch)

    assert main(["--first", "0", "--steps", "1000000"]) == 1

    out = capsys.readouterr().out
    seed = next(seed for seed in range(MAX_SEEDS) if simulate(draw(seed)).broken)
    assert f"\nSEED {seed}: " in out
    assert "BROKEN: " in out
    assert "the statement of " in out
    assert f"again: nox -s simulate -- --seed {seed}\n" in out
    assert main(["--seed", str(seed)]) == 1
