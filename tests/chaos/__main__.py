"""`python -m tests.chaos`: kill real processes under load. Exit with 1 if a promise is broken."""

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
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="seed of the plan (default: a random seed)")
    parser.add_argument("--site", choices=[*SITES, "both"], default="both", help="sites to run (default: %(default)s)")
    parser.add_argument("--generations", type=int, default=200, help="least number accepted per site (%(default)s)")
    parser.add_argument("--kills", type=int, default=20, help="SIGKILLs per site (default: %(default)s)")
    parser.add_argument("--replicas", type=int, default=2, help="servers per site (default: %(default)s)")
    parser.add_argument("--logs", type=Path, default=None, help="folder in which the logs of the replicas are kept")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the `finally` blocks end all child processes
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
            print(f"  run a similar storm: nox -s chaos -- --seed {seed} --site {site} --logs FOLDER")
        violated = violated or bool(result.violations)
    sys.exit(1 if violated else 0)


if __name__ == "__main__":
    main()
