"""Output of the command line, for people and for programs."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

TABLE_WIDTH = 240
"""Maximum width of a table, in characters. Lines that a narrow terminal wraps are easier to read than wrapped cells."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@contextmanager
def spinner(activity: str) -> Iterator[None]:
    """Show the activity and the elapsed time on stderr while the block runs. The remaining time is unknown."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        typer.echo(f"{activity}…", err=True)
        yield
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    # On a terminal, results are printed above the spinner. Results that are redirected to a file must go to that file.
    redirect = sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=redirect) as progress:
        progress.add_task(activity, total=None)
        yield


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table. Columns whose headings are in `numbers` are aligned to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # cells may contain text of users, which must not be read as markup
    Console(width=TABLE_WIDTH).print(table)


def print_json(value: Any) -> None:
    """Print a result as JSON."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def counted(count: int, noun: str) -> str:
    """Return the count with its noun: "1 credit", "2 credits"."""
    return f"{count} {noun}" if abs(count) == 1 else f"{count} {noun}s"


def fail(message: str, exit_code: int) -> NoReturn:
    """Print the message on stderr, and exit."""
    typer.echo(f"plushify: {message}", err=True)
    sys.exit(exit_code)
