"""`python -m tests.chaos`: real processes die under load, and no credit may be lost. Exits with 1 if one is."""

import argparse
import asyncio
import logging
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import SITES, run


def main() -> None:
    """Read the command line, run, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="plans the same faults again (default: a new one)")
    parser.add_argument("--site", choices=[*SITES, "both"], default="both", help="where (default: %(default)s)")
    parser.add_argument("--generations", type=int, default=200, help="accepted at least, per site (%(default)s)")
    parser.add_argument("--kills", type=int, default=20, help="by SIGKILL, per site (default: %(default)s)")
    parser.add_argument("--replicas", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--logs", type=Path, default=None, help="a folder to keep the logs of the replicas in")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that whatever was started is ended
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("tests.chaos").setLevel(logging.INFO)
    seed = random.randrange(1_000_000) if arguments.seed is None else arguments.seed

    violated = False
    for site in SITES if arguments.site == "both" else (arguments.site,):
        with tempfile.TemporaryDirectory(prefix="plushify-chaos-") as temporary:
            folder = (arguments.logs or Path(temporary)) / site
            folder.mkdir(parents=True, exist_ok=True)
            result = asyncio.run(
                run(
                    site,
                    folder,
                    seed=seed,
                    generations=arguments.generations,
                    kills=arguments.kills,
                    replicas=arguments.replicas,
                )
            )
        print("\n".join(result.lines), flush=True)
        if result.violations:
            print(f"  a storm like it: nox -s chaos -- --seed {seed} --site {site} --logs FOLDER")
        violated = violated or bool(result.violations)
    sys.exit(1 if violated else 0)


if __name__ == "__main__":
    main()
