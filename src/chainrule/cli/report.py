"""`chainrule report`: a run's history and results, as one page that works offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import Json, Quiet, note, print_page, silence

ORDER = 20


def report(
    run: Annotated[
        str, typer.Argument(help="A run's name, or its folder.", autocompletion=completer(runs))
    ],
    page: Annotated[
        Path | None,
        typer.Argument(help="The HTML file to write; report.html in the run's folder."),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a run into one HTML file: its replay, its figures, its pictures.

    A run that was trained with --watch is replayed in full, another one epoch by epoch.

    Example: chainrule report mine mine.html
    """
    from chainrule.runs.pages import export_replay

    say = silence if quiet else note
    print_page(export_replay(run, page, say=say), quiet=quiet, as_json=json)
