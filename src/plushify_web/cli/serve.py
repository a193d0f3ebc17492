"""Command `plushify serve`: runs the HTTP server."""

import errno
import math
from typing import TYPE_CHECKING, Annotated

import typer

from plushify_web.cli.runtime import run
from plushify_web.cli.terminal import fail

if TYPE_CHECKING:
    from plushify_web.container import Container
    from plushify_web.settings import Settings

REQUESTS_PER_WORKER = 1024
"""Maximum of concurrent requests of a worker; further requests wait in the backlog. The limit is high, because requests
that wait for a generation use almost no resources."""

SHUTDOWN_MARGIN_S = 7
"""Seconds that a worker has after draining before it is killed. It covers the limits of the runner and the sweeper for
adapters that hang. A request that hangs in an adapter is cut off then; a sweep settles its generation."""


def serve(
    host: Annotated[
        str, typer.Option(help="Address or host name to listen on; 0.0.0.0 for all addresses.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="Number of worker processes.", min=1)] = 1,
) -> None:
    """Serve the page and the HTTP API. Migrates the database first, and checks that the storage belongs to it."""
    import multiprocessing

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from plushify_web.logs import logging_config

    # A fork would copy locks that threads of this process may hold.
    multiprocessing.set_start_method("spawn", force=True)
    address = _bindable_address(host, port)
    settings, title = run(_prepare, schema="migrate", uses_storage=True)
    server = Granian(
        "plushify_web.app:create_app",
        factory=True,
        interface=Interfaces.ASGI,
        address=address,
        port=port,
        workers=workers,
        websockets=False,
        backpressure=REQUESTS_PER_WORKER,
        respawn_failed_workers=workers > 1,
        workers_kill_timeout=math.ceil(settings.drain_s) + SHUTDOWN_MARGIN_S,
        log_level=LogLevels.warning,
        log_dictconfig=logging_config(settings.log),
        log_access=True,
        log_access_format='%(addr)s "%(method)s %(path)s" %(status)d %(dt_ms).0f ms',
    )

    @server.on_startup
    def announce() -> None:
        url_host = f"[{host}]" if ":" in host else host  # an IPv6 address
        typer.echo(f"Plushify is at {settings.public_url or f'http://{url_host}:{port}'}\n{title} draws.", err=True)

    server.serve()


def _bindable_address(host: str, port: int) -> str:
    """Return the first IP address of the host that the server can listen on. Exit with a message if there is none.

    IPv4 comes first, because clients that are given a host name try every address of it, and some containers have an
    IPv6 address for localhost that they cannot use. Given an unusable address, the server itself would panic, or share
    the port with another server.
    """
    import socket

    try:
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label that is empty or too long
        fail(f"Cannot listen at {host}:{port}: {getattr(error, 'strerror', None) or error}.", 1)
    candidates.sort(key=lambda candidate: candidate[0] != socket.AF_INET)
    reason = None
    for family, kind, _, _, address in candidates:
        try:
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
        except OSError as error:
            reason = reason or error.strerror
            if error.errno == errno.EADDRINUSE:
                break
        else:
            return str(address[0])
    return fail(f"Cannot listen at {host}:{port}: {reason}.", 1)


async def _prepare(container: "Container") -> "tuple[Settings, str]":
    """Validate the settings, and return them and the title of the image model, before any worker starts."""
    return container.settings(), (await container.plushify().model.capabilities()).title
