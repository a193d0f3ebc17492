"""Every benchmark, one after the other: `python -m tests.bench`, or only those named: `python -m tests.bench store`.

Each prints ratios of things measured in the same run. This says how much of the cost is ours on any machine; a time
would say how busy one machine was.
"""

import argparse
import importlib
from pathlib import Path

BENCHMARKS = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def main() -> None:
    """Run them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    for name in parser.parse_args().names or BENCHMARKS:
        print(f"\n{name}", flush=True)
        importlib.import_module(f"tests.bench.bench_{name}").main()


if __name__ == "__main__":
    main()
