"""`python -m tests.simulation`: run worlds until one breaks a promise, or until a limit is reached."""

import argparse
import random
import sys
import time
from collections import Counter

from tests.simulation.plan import random_plan
from tests.simulation.shrink import Shrinker
from tests.simulation.world import Report, simulate

MAX_SEED = 10**9


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Return 1 if a promise is broken, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run only the world with this seed, and print its trace")
    parser.add_argument("--first", type=int, help="seed of the first world; each next world has the next seed")
    parser.add_argument("--steps", type=int, default=1_000_000, help="limit of steps in total (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=10.0, help="limit of the run time (default: %(default)s)")
    parser.add_argument("--no-shrink", action="store_true", help="do not search for a shorter trace of a failing world")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        report = simulate(random_plan(options.seed))
        print(*report.trace, sep="\n")
        return _print_failure(options.seed, report, shrink=not options.no_shrink) if report.violation else 0
    first = random.randrange(MAX_SEED) if options.first is None else options.first
    return _explore(first, options.steps, options.minutes * 60, shrink=not options.no_shrink)


def _explore(first: int, max_steps: int, max_s: float, *, shrink: bool) -> int:
    print(f"simulating worlds, starting with seed {first}")
    seed, steps, started_s = first, 0, time.monotonic()
    faults: Counter[str] = Counter()
    failing = None
    while failing is None and steps < max_steps and time.monotonic() - started_s < max_s:
        report = simulate(random_plan(seed))
        steps += report.steps
        faults.update(report.faults)
        failing = report if report.violation else None
        seed += 1
    worlds, took_s = seed - first, time.monotonic() - started_s
    print(f"worlds: {worlds}, steps: {steps}, {took_s:.0f} s, {worlds / took_s:.1f} worlds/s; faults by kind:")
    for kind, count in faults.most_common():
        print(f"{count:8}  {kind}")
    if failing is None:
        print("no promise was broken")
        return 0
    return _print_failure(seed - 1, failing, shrink=shrink)


def _print_failure(seed: int, report: Report, *, shrink: bool) -> int:
    print(f"\nSEED {seed}: {report.violation}")
    if shrink:
        plan, report = Shrinker(random_plan(seed), report).shrink()
        print(f"shortest trace found ({len(plan.operations)} operations, {len(report.fault_names)} faults):")
        print(*report.trace, *report.statements, sep="\n")
    print(f"replay: nox -s simulate -- --seed {seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
