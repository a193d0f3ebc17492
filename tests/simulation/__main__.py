"""`python -m tests.simulation`: world after world, until a promise is broken or it has been long enough."""

import argparse
import random
import sys
import time
from collections import Counter

from tests.simulation.plan import draw
from tests.simulation.shrink import Shrinking
from tests.simulation.world import Report, simulate

MAX_SEED = 10**9


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="let this one world happen again, exactly as it was, and print it")
    parser.add_argument("--first", type=int, help="seed of the first world; the others count on from it")
    parser.add_argument("--steps", type=int, default=1_000_000, help="stop after so many calls to ports")
    parser.add_argument("--minutes", type=float, default=10.0, help="or after so long")
    parser.add_argument("--no-shrink", action="store_true", help="print the whole trace of a failing world")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        report = simulate(draw(options.seed))
        print(*report.trace, sep="\n")
        return _tell(options.seed, report, shrink=not options.no_shrink) if report.broken else 0
    first = random.randrange(MAX_SEED) if options.first is None else options.first
    return _explore(first, options.steps, options.minutes * 60, shrink=not options.no_shrink)


def _explore(first: int, max_steps: int, max_s: float, *, shrink: bool) -> int:
    print(f"worlds from seed {first} on")
    seed, steps, started_s = first, 0, time.monotonic()
    faults: Counter[str] = Counter()
    broken = None
    while broken is None and steps < max_steps and time.monotonic() - started_s < max_s:
        report = simulate(draw(seed))
        steps += report.steps
        faults.update(report.faults)
        broken = report if report.broken else None
        seed += 1
    worlds, took_s = seed - first, time.monotonic() - started_s
    print(f"{worlds} worlds, {steps} steps, {took_s:.0f} s, {worlds / took_s:.1f} worlds/s; faults:")
    for kind, times in faults.most_common():
        print(f"{times:8}  {kind}")
    if broken is None:
        print("no promise was broken")
        return 0
    return _tell(seed - 1, broken, shrink=shrink)


def _tell(seed: int, report: Report, *, shrink: bool) -> int:
    print(f"\nSEED {seed}: {report.broken}")
    if shrink:
        plan, report = Shrinking(draw(seed), report).shrink()
        print(f"the shortest trace found, with {len(plan.operations)} operations and {len(report.fault_names)} faults:")
        print(*report.trace, *report.statements, sep="\n")
    print(f"again: nox -s simulate -- --seed {seed}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
