"""How the command line talks to people and to programs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import msgspec
import typer


@contextmanager
def spinner(what: str) -> Iterator[None]:
    """Shows on stderr that it goes on, and for how long already. How far it is, nobody knows."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        typer.echo(f"{what}…", err=True)
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        progress.add_task(what, total=None)
        yield


def print_json(value: Any) -> None:
    """Prints a result for programs."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def fail(message: str, exit_code: int) -> NoReturn:
    """Says in a sentence what is wrong, and exits."""
    typer.echo(f"plushify: {message}", err=True)
    sys.exit(exit_code)
