"""Command line: `plushify`.

serve, generate, credits, costs, maintenance    the commands
├── runtime     event loop and container of a command
├── errors      messages of expected errors
├── output      file that `plushify generate` writes
├── report      output of `plushify doctor`
└── terminal    output for people and for programs

Results go to stdout, progress and errors to stderr. Commands import what they need when they run, so that
`plushify --help` responds at once.
"""

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from plushify_web.cli.costs import costs
from plushify_web.cli.credits import credits_app
from plushify_web.cli.errors import expected_error
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
    _open_standard_streams()
    try:
        app(arguments, prog_name="plushify")
    except SystemExit as exited:
        if isinstance(exited.__context__, BrokenPipeError):  # Click has handled it without a message
            _exit_with_message(exited.__context__)
        raise
    except Exception as error:
        _exit_with_message(error)
        raise


def _exit_with_message(error: Exception) -> None:
    """Print the message of an expected error and exit. Return if the error is a bug, whose traceback is needed."""
    found = expected_error(error)
    if found is not None:
        sentence, exit_code = found
        _drop_unwritten_output()
        fail(" ".join(sentence.split()), exit_code)


def _open_standard_streams() -> None:
    """Open the null device for each closed standard stream, so that no file of ours gets its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is `descriptor`
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open until the process ends
    # A terminal that cannot show a character gets a question mark, and not an exception.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _drop_unwritten_output() -> None:
    """Drop results that cannot be printed. Python would try once more at its end, and print a traceback."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


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
