"""`chainrule export`: a network as one page that works offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.completion import completer, runs
from chainrule.cli.console import Json, Quiet


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
    from chainrule.cli.console import check_page, write_page
    from chainrule.core.errors import ConfigError
    from chainrule.runs.folder import find, model_name, read_run
    from chainrule.web.bundle import model_as_dict, self_contained

    check_page(page)
    model, _ = read_run(run)
    if model.shape != (28, 28):
        height, width = model.shape
        raise ConfigError(
            f"{run}: its images are {width} x {height}, and the page draws for 28 x 28; "
            "export a network of such images"
        )
    path = find(run)
    text = self_contained("index.html", model_as_dict(model, model_name(path)))
    write_page(page, text, quiet=quiet, json=json)
