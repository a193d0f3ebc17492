"""The command line: `plushify`.

Progress goes to stderr, results to stdout. Everything heavy is imported by the command that needs it, so that
`plushify --help` answers at once.
"""

import asyncio
import importlib.metadata
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from plushify_core import InsufficientCredits, InvalidInput, NotFound, PlushifyError
from plushify_web.settings import SettingsError
from plushify_web.terminal import fail, print_json, spinner

if TYPE_CHECKING:
    from plushify_core import User
    from plushify_web.container import Container
    from plushify_web.settings import Settings

T = TypeVar("T")

LOCAL_EMAIL = "you@localhost"

REQUESTS_PER_WORKER = 1024
"""How many requests a worker has in flight at once; the rest wait in the backlog. Those that wait for their plushie
cost next to nothing, so there may be many."""

SHUTDOWN_MARGIN_S = 15
"""What a worker gets on top of the time to drain, to settle what it cancelled, before it is killed."""

app = typer.Typer(
    name="plushify",
    help="Turns a photo into a picture of a plushie. Settings come from the environment: see docs/settings.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
credits_app = typer.Typer(help="Grant credits, and show who has how many.", no_args_is_help=True)
app.add_typer(credits_app, name="credits")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Exits with 0; 1 if it was refused or failed; 2 if it was asked wrongly."""
    try:
        app(arguments, prog_name="plushify")
    except SettingsError as error:
        fail(str(error), 2)
    except PlushifyError as error:
        fail(error.message, 1)
    except OSError as error:
        fail(f"{error}.", 1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"plushify {importlib.metadata.version('plushify')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """What holds for every command."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0 for every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen at.", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="How many processes share the work.", min=1)] = 1,
) -> None:
    """Serve the page and the HTTP API. Migrations are applied first."""
    import multiprocessing

    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from plushify_web.logs import logging_config

    # A fork would copy the threads' locks of whatever this process has loaded, held or not.
    multiprocessing.set_start_method("spawn", force=True)
    _check_address(host, port)
    settings, title = _run(_prepare())
    server = Granian(
        "plushify_web.app:create_app",
        factory=True,
        interface=Interfaces.ASGI,
        address=host,
        port=port,
        workers=workers,
        websockets=False,
        backpressure=REQUESTS_PER_WORKER,
        respawn_failed_workers=workers > 1,
        workers_kill_timeout=int(settings.drain_s) + SHUTDOWN_MARGIN_S,
        log_level=LogLevels.warning,
        log_dictconfig=logging_config(settings.log),
        log_access=True,
        log_access_format='%(addr)s "%(method)s %(path)s" %(status)d %(dt_ms).0f ms',
    )

    @server.on_startup
    def announce() -> None:
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"Plushify is at {settings.public_url or f'http://{shown}:{port}'}\n{title} draws.", err=True)

    server.serve()


@app.command()
def migrate() -> None:
    """Bring the database to the tables of this version."""
    _run(_with(_nothing))
    typer.echo("The database is up to date.", err=True)


@app.command()
def generate(
    photo: Annotated[
        Path,
        typer.Argument(metavar="PHOTO", help="A photo: JPEG, PNG or WebP.", exists=True, dir_okay=False, readable=True),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where to put the picture.", dir_okay=False, writable=True)
    ],
    style: Annotated[str, typer.Option(help="A style of the catalog.")] = "classic",
    quality: Annotated[str, typer.Option(help="A quality of the catalog.")] = "standard",
    email: Annotated[str, typer.Option(help="Whose credits pay; an account on this machine.")] = LOCAL_EMAIL,
    as_json: Json = False,
) -> None:
    """Make a plushie of a photo on this machine, without a server."""
    if not (output.parent.is_dir() and os.access(output.parent, os.W_OK)):
        # Found out before anything is paid.
        raise InvalidInput(message=f"There is no folder {output.parent} that a picture could be put in.")

    async def make(container: "Container") -> dict[str, Any]:
        user = await container.accounts().local(email)
        model = await container.model().capabilities()
        with spinner(f"{model.title} is making a plushie"):
            try:
                with photo.open("rb") as file:
                    # One byte over the limit is enough to be refused.
                    data = file.read(container.settings().max_upload_bytes + 1)
                generation = await container.generate().generate(user.id, data, style=style, quality=quality)
            except InsufficientCredits as error:
                raise InsufficientCredits(
                    message=f"{error.message} To get some: plushify credits grant {user.email} 10 --reason 'more'"
                ) from error
        picture = generation.generated
        assert picture is not None, "a generation that did not fail has its picture"
        data = b"".join([chunk async for chunk in container.gallery().read(picture)])
        await asyncio.to_thread(output.write_bytes, data)
        subscription = await container.credits().ensure_subscription(user.id)
        return {
            "path": str(output),
            "mediaType": picture.media_type,
            "width": picture.width,
            "height": picture.height,
            "style": style,
            "styleName": container.catalog().style(style).name,
            "quality": quality,
            "creditsSpent": generation.credits_cost,
            "balance": subscription.balance,
            "model": {"name": model.name, "title": model.title, "preview": model.preview},
            "id": str(generation.id),
        }

    made = _run(_with(make))
    if as_json:
        print_json(made)
        return
    typer.echo(
        f"{made['path']}\n"
        f"  style     {made['styleName']}\n"
        f"  size      {made['width']} × {made['height']} px\n"
        f"  credits   {made['creditsSpent']} spent, {made['balance']} left\n"
        f"  drawn by  {made['model']['title']}"
    )


@credits_app.command()
def grant(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose credits.")],
    amount: Annotated[int, typer.Argument(metavar="N", help="How many credits, one at least.", min=1)],
    reason: Annotated[str, typer.Option(help="Why; it stands in the statement.")],
    as_json: Json = False,
) -> None:
    """Give credits to an account."""
    import getpass

    async def give(container: "Container") -> int:
        user = await _account(container, email)
        actor = f"operator {getpass.getuser()}"
        return (await container.credits().add_credits(user.id, amount, reason=reason, actor=actor)).balance

    balance = _run(_with(give))
    if as_json:
        print_json({"email": email, "granted": amount, "balance": balance})
    else:
        typer.echo(f"{email} got {amount} and has {balance} credits.")


@credits_app.command()
def show(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Whose credits.")],
    limit: Annotated[int, typer.Option(help="How many entries of the statement.", min=1, max=100)] = 20,
    as_json: Json = False,
) -> None:
    """Show the balance of an account, and its latest entries."""
    from plushify_web.schemas import CreditsBody, EntryBody

    async def look(container: "Container") -> tuple[CreditsBody, list[EntryBody]]:
        user = await _account(container, email)
        subscription = await container.credits().ensure_subscription(user.id)
        statement = await container.credits().statement(user.id, limit=limit)
        entries = [EntryBody.of(entry) for entry in statement.items]
        return CreditsBody(plan=subscription.plan, balance=subscription.balance), entries

    credits, entries = _run(_with(look))
    if as_json:
        print_json({"email": email, "plan": credits.plan, "balance": credits.balance, "entries": entries})
        return
    typer.echo(f"{email} has {credits.balance} credits.")
    for entry in entries:
        typer.echo(f"  {entry.created_at:%Y-%m-%d %H:%M}  {entry.kind:<8} {entry.amount:>+5}  {entry.reason}")


@app.command()
def sweep(as_json: Json = False) -> None:
    """Settle what dead processes left behind, and erase what was deleted. Servers do so by themselves."""

    async def settle(container: "Container") -> dict[str, int]:
        done = {"refunded": 0, "erased": 0, "finished": 0}
        while True:
            swept = await container.recover().sweep()
            for generation_id in swept.to_run:
                await container.generate().run(generation_id)
            if not (swept.refunded or swept.purged or swept.to_run):
                return done
            done["refunded"] += swept.refunded
            done["erased"] += swept.purged
            done["finished"] += len(swept.to_run)

    done = _run(_with(settle))
    if as_json:
        print_json(done)
    else:
        typer.echo(", ".join(f"{count} {what}" for what, count in done.items()) + ".")


def _check_address(host: str, port: int) -> None:
    """Fail with a sentence where the server would fail with a panic, or share the port with another one."""
    import socket

    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        fail(f"Cannot listen at {host}:{port}: {error.strerror}.", 1)


async def _prepare() -> "tuple[Settings, str]":
    """Check the settings, bring the database up to date, and see which model draws, before any worker starts."""
    async with _container() as container:
        container.catalog()
        return container.settings(), (await container.model().capabilities()).title


async def _with(work: "Callable[[Container], Awaitable[T]]") -> T:
    """What `work` makes of everything wired."""
    async with _container() as container:
        return await work(container)


async def _nothing(_: "Container") -> None:
    """For the sake of what comes before."""


@asynccontextmanager
async def _container() -> AsyncIterator["Container"]:
    """Everything wired, on a database that is up to date."""
    from plushify_adapters.sql import migrate
    from plushify_web.container import Container
    from plushify_web.logs import configure_logging

    container = Container()
    configure_logging(container.settings().log)
    async with container.closing():
        await migrate.upgrade(container.store().engine)
        yield container


async def _account(container: "Container", email: str) -> "User":
    user = await container.accounts().find(email)
    if user is None:
        raise NotFound(message=f"There is no account {email}.")
    return user


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        fail("Interrupted.", 130)
