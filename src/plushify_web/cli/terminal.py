"""How the command line talks to people and to programs."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

TABLE_WIDTH = 240
"""How wide a table may be, in characters. A line that a narrow terminal breaks is read more easily than a table whose
cells are."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


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
    # What is printed meanwhile stands above the spinner; but results that go to a file are to go there.
    on_screen = sys.stdout.isatty()
    with Progress(*columns, console=console, transient=True, redirect_stdout=on_screen) as progress:
        progress.add_task(what, total=None)
        yield


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Prints a table; the columns whose headings are in `numbers` are aligned to the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))  # as it is: what users wrote is no markup
    Console(width=TABLE_WIDTH).print(table)


def print_json(value: Any) -> None:
    """Prints a result for programs."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value)).decode())


def counted(count: int, what: str) -> str:
    """So many of it: "1 credit", "2 credits"."""
    return f"{count} {what}" if abs(count) == 1 else f"{count} {what}s"


def fail(message: str, exit_code: int) -> NoReturn:
    """Says in a sentence what is wrong, and exits."""
    typer.echo(f"plushify: {message}", err=True)
    sys.exit(exit_code)
