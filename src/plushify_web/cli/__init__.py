"""The command line: `plushify`.

server, pictures, credits, spending, upkeep    the commands, one module per group
├── wired       everything they work with, on a database that is up to date
├── report      what `doctor` prints
└── terminal    how all of them talk to people and to programs

Progress and errors go to stderr, results to stdout. Everything heavy is imported by the command that needs it, so
that `plushify --help` answers at once.
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from plushify_web.cli.costs import costs
from plushify_web.cli.credits import credits_app
from plushify_web.cli.generate import generate
from plushify_web.cli.maintenance import doctor, migrate, sweep
from plushify_web.cli.serve import serve
from plushify_web.cli.terminal import fail

__all__ = ["app", "main"]

app = typer.Typer(
    name="plushify",
    help="Turns a photo into a picture of a plushie. Settings come from the environment: see docs/settings.md.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(generate)
app.add_typer(credits_app, name="credits")
app.command()(costs)
app.command()(migrate)
app.command()(sweep)
app.command()(doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. Exits with 0; 1 if it was refused or failed; 2 if it was asked wrongly."""
    try:
        app(arguments, prog_name="plushify")
    except Exception as error:
        _explain(error)
        raise


def _explain(error: Exception) -> None:
    """Exit with a sentence, if the error is one of those that a sentence explains."""
    from sqlalchemy.exc import DBAPIError

    from plushify_core import PlushifyError
    from plushify_web.settings import SettingsError

    match error:
        case SettingsError():
            fail(str(error), 2)
        case PlushifyError():
            fail(error.message, 1)
        case DBAPIError():
            fail(f"The database: {error.orig}.", 1)
        case OSError():
            fail(f"{error}.", 1)


def _version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        typer.echo(f"plushify {importlib.metadata.version('plushify')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """What holds for every command."""
