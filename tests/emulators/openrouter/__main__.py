"""Command `python -m tests.emulators.openrouter`: run the emulator until it is interrupted."""

import argparse
import asyncio
import contextlib
import sys

from aiohttp import web

from tests.emulators.openrouter.app import API, Emulator


async def _serve(arguments: argparse.Namespace) -> None:
    emulator = Emulator(arguments.latency, arguments.keep)
    runner = web.AppRunner(emulator.app(), access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, arguments.host, arguments.port, backlog=1024, shutdown_timeout=0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}{API}", flush=True)
    try:
        if arguments.exit_with_parent:
            await asyncio.to_thread(sys.stdin.buffer.read)
        else:
            await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.openrouter", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8788, help="0 selects a free port (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0, help="seconds until an answer (default: %(default)s)")
    parser.add_argument("--keep", type=int, default=100, help="number of requests to keep (default: %(default)s)")
    parser.add_argument(
        "--exit-with-parent",
        action="store_true",
        help="stop at the end of standard input, e.g. if the parent is killed",
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
