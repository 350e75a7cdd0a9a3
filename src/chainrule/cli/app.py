"""Typer app: every module here that has a function of its own name is a command.

Its ORDER is its position in `chainrule --help`. A new command is one new file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import typer

from chainrule.cli.help import Command, Group, description
from chainrule.core.version import __version__


def commands() -> Iterator[Callable[..., None]]:
    """The commands, in the order of `chainrule --help`."""
    names = [found.name for found in iter_modules([str(Path(__file__).parent)])]
    modules = {name: import_module(f"chainrule.cli.{name}") for name in names if name != "app"}
    found = {name: module for name, module in modules.items() if callable(vars(module).get(name))}
    for name, module in sorted(found.items(), key=lambda item: item[1].ORDER):
        yield getattr(module, name)


app = typer.Typer(
    name="chainrule",
    cls=Group,
    help="Deep networks from scratch in NumPy: train, evaluate and predict digits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in commands():
    app.command(cls=Command, help=description(command))(command)


def _version(asked: bool | None) -> None:
    if asked:
        typer.echo(f"chainrule {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool | None = typer.Option(
        None, "--version", callback=_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    del version
