"""`chainrule export`: a network as one page that works offline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli.console import Json, Quiet, note, print_json


def export(
    run: Annotated[str, typer.Argument(help="A run's name, its folder, or a model file.")],
    page: Annotated[Path, typer.Argument(help="The HTML file to write.", metavar="PAGE.html")],
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a network into one HTML file: draw a digit, look inside, without a server.

    Example: chainrule export mine page.html
    """
    from chainrule.cli.runs import find, read_run
    from chainrule.files import write_atomically
    from chainrule.pages import model_as_dict, self_contained
    from chainrule.settings import ConfigError

    if page.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{page}: a page is written; let its name end in .html")
    model, _ = read_run(run)
    if model.shape != (28, 28):
        height, width = model.shape
        raise ConfigError(
            f"{run}: its images are {width} x {height}, and the page draws for 28 x 28; "
            "export a network of such images"
        )
    path = find(run)
    name = path.parent.name if path.name == "model.safetensors" else path.stem
    html = self_contained("index.html", model_as_dict(model, name)).encode()
    write_atomically(page, html)
    if json:
        print_json({"page": str(page), "bytes": len(html)})
    elif not quiet:
        note(f"{page}: {len(html) / 1e6:.1f} MB; open it in any browser, it needs no network")
