"""Console output and common options: results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chainrule.cli.completion import completer, data_sets
from chainrule.cli.streams import escaped, styled

if TYPE_CHECKING:
    from chainrule.runs.pages import WrittenPage

Json = Annotated[
    bool,
    typer.Option("--json", rich_help_panel="run", help="Print exactly one JSON object on stdout."),
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", rich_help_panel="run", help="Only errors on stderr."),
]
Offline = Annotated[
    bool, typer.Option("--offline", rich_help_panel="run", help="Never use the network.")
]
Source = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="NAME|PATH",
        rich_help_panel="data",
        help="{data}, or a path: IDX, npz, pickle, CSV, Parquet, image folders.",
        autocompletion=completer(data_sets),
    ),
]
TestSource = Annotated[
    str,
    typer.Option(
        "--test-data",
        metavar="PATH",
        rich_help_panel="data",
        help="The test part, if --data has none.",
    ),
]
Classes = Annotated[
    str,
    typer.Option(
        metavar="LIST",
        rich_help_panel="data",
        help="Names of the labels 0, 1, ..., such as a,b,c; by default digits.",
    ),
]
Label = Annotated[
    str,
    typer.Option(
        metavar="COLUMN",
        rich_help_panel="data",
        help="Of a table: the column of the labels, its name, its number, first or last.",
    ),
]
Missing = Annotated[
    str,
    typer.Option(
        metavar="mean|drop",
        rich_help_panel="data",
        help="Of a table: empty cells are their column's mean, or their rows are left out.",
    ),
]


def names(classes: str) -> tuple[str, ...]:
    """Names in a comma-separated list."""
    return tuple(name for name in classes.split(",") if name)


def show(text: str) -> None:
    """Prints one line of the result on stdout; line breaks in it are escaped too."""
    print(escaped(text), flush=True)


def note(text: str) -> None:
    """Prints one line for people on stderr; line breaks in it are escaped too."""
    print(escaped(text), file=sys.stderr, flush=True)


def silence(text: str) -> None:
    """Discards a note: --quiet."""


def print_json(value: dict[str, Any]) -> None:
    """Prints the one JSON object of a command."""
    # DEL is legal in JSON; as the stream escapes it, it would not be.
    print(json.dumps(value).replace("\x7f", "\\u007f"), flush=True)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints a table on stdout, as wide as the terminal, $COLUMNS, or else 160 characters.

    Cells wrap between words; where even so it would not fit, it is wider: no figure is cut.
    """
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(escaped(title)), box=box.SIMPLE, title_justify="left", title_style="bold"
    )
    for column in columns:
        table.add_column(Text(escaped(column)))
    for row in rows:
        table.add_row(*(Text(escaped(cell)) for cell in row))
    console = Console()
    width = console.width if console.is_terminal or "COLUMNS" in os.environ else 160
    least = Measurement.get(console, console.options.update(max_width=1000), table).minimum
    console = Console(width=max(width, least))
    with console.capture() as capture:
        console.print(table)
    out = styled(sys.stdout)
    for line in capture.get().splitlines():
        out.write(line.rstrip() + "\n")


def contents_line(folder: Path) -> str:
    """Contents of a run folder, in one line."""
    from chainrule.runs.folder import contents

    return f"{folder}: {', '.join(contents(folder))}"


def print_page(page: WrittenPage, *, quiet: bool, as_json: bool) -> None:
    """Reports the path and size of a written page."""
    if as_json:
        print_json(page.as_json())
    elif not quiet:
        note(f"{page.path}: {page.size / 1e6:.1f} MB; open it in any browser, it needs no network")
