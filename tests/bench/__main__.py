"""Benchmarks: `python -m tests.bench` runs all of them, `python -m tests.bench store` only those named.

Each prints ratios of two measurements of the same run. A ratio shows the share of our own code on any machine, while a
time depends on the machine and its load.
"""

import argparse
import importlib
from pathlib import Path

BENCHMARKS = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    for name in parser.parse_args().names or BENCHMARKS:
        print(f"\n{name}", flush=True)
        importlib.import_module(f"tests.bench.bench_{name}").main()


if __name__ == "__main__":
    main()
