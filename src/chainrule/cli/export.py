"""`chainrule export`: a network as one page that works offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import Json, Quiet, note, print_page, silence

ORDER = 80


def export(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's name, its folder, or a model file.", autocompletion=completer(runs)
        ),
    ],
    page: Annotated[Path, typer.Argument(help="The HTML file to write.", metavar="PAGE.html")],
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a network into one HTML file: draw a digit, look inside, without a server.

    Example: chainrule export mine page.html
    """
    from chainrule.runs.pages import export_network

    print_page(export_network(run, page, say=silence if quiet else note), quiet=quiet, as_json=json)
