"""Command line: `plushify`.

serve, generate, credits, costs, maintenance    the commands
├── runtime     event loop and container of a command
├── report      output of `plushify doctor`
└── terminal    output for people and for programs

Results go to stdout, progress and errors to stderr. Commands import what they need when they run, so that
`plushify --help` responds at once.
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
    """Run the command line.

    Exit codes: 0 success, 1 refusal or failure, 2 wrong usage or invalid setting, 130 interrupted.
    """
    try:
        app(arguments, prog_name="plushify")
    except Exception as error:
        _exit_with_message(error)
        raise


def _exit_with_message(error: Exception) -> None:
    """Print the message of an expected error and exit. Return if the error is a bug, whose traceback is needed."""
    from plushify_core import PlushifyError, WrongStorage
    from plushify_web.preflight import wrong_storage_message
    from plushify_web.settings import SettingsError

    match error:
        case SettingsError():
            fail(str(error), 2)
        case PlushifyError():
            fail(error.message, 1)
        case WrongStorage():
            fail(wrong_storage_message(error), 1)
        case OSError():
            fail(f"{error}.", 1)

    from plushify_web.container import database_error_message

    message = database_error_message(error)
    if message is not None:
        fail(f"The database: {message}.", 1)


def _print_version(requested: bool) -> None:
    if requested:
        import importlib.metadata

        typer.echo(f"plushify {importlib.metadata.version('plushify')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Define the options of `plushify` itself."""
