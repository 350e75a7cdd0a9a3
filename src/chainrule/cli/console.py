"""What the commands share: results go to stdout, everything else to stderr."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on stderr but errors.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network.")]
Source = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="NAME|PATH",
        help="mnist, fashion-mnist, kmnist, or a path: IDX, npz, pickle, CSV, image folders.",
    ),
]
TestSource = Annotated[
    str, typer.Option("--test-data", metavar="PATH", help="The test part, if --data has none.")
]

Classes = Annotated[
    str,
    typer.Option(
        metavar="LIST", help="Names of the labels 0, 1, ..., such as a,b,c; by default digits."
    ),
]


def names(classes: str) -> tuple[str, ...]:
    """The names in a list with commas between."""
    return tuple(name for name in classes.split(",") if name)


def note(text: str) -> None:
    """One line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def silence(text: str) -> None:
    """What --quiet does with a note."""


def print_json(value: dict[str, Any]) -> None:
    """The one JSON object of a command."""
    print(json.dumps(value))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout, at most 160 characters wide where that is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), box=box.SIMPLE, title_justify="left", title_style="bold")
    for column in columns:
        table.add_column(Text(column))
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())


class Interrupt:
    """Whether Ctrl-C was pressed or SIGTERM came; asked between two steps."""

    def __init__(self) -> None:
        self.signal = 0

    def __call__(self) -> bool:
        """True once there was one."""
        return self.signal != 0


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """The first signal only asks to stop, so that no step is cut in half; the second one kills."""
    interrupt = Interrupt()
    signals = (signal.SIGINT, signal.SIGTERM)

    def handle(number: int, _frame: object) -> None:
        interrupt.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    before = [signal.signal(number, handle) for number in signals]
    try:
        yield interrupt
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
