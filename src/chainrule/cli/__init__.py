"""The commands: `chainrule train`, `evaluate`, `predict`, `serve`, `reproduce`, and so on."""

from __future__ import annotations

import json
import os
import sys

import typer

from chainrule import __version__
from chainrule.cli.committee import committee
from chainrule.cli.compare import compare
from chainrule.cli.data import data
from chainrule.cli.distort import distort
from chainrule.cli.evaluate import evaluate
from chainrule.cli.export import export
from chainrule.cli.gradcheck import gradcheck
from chainrule.cli.help import Command, Group
from chainrule.cli.predict import predict
from chainrule.cli.report import report
from chainrule.cli.reproduce import reproduce
from chainrule.cli.serve import serve
from chainrule.cli.train import train
from chainrule.core.blas import choose_kernel, read_cpuinfo

app = typer.Typer(
    name="chainrule",
    cls=Group,
    help="Deep networks from scratch in NumPy: train, evaluate and predict digits.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    train, report, committee, evaluate, compare, predict, serve, export, distort, reproduce, data,
    gradcheck,
)  # fmt: skip
for command in COMMANDS:
    app.command(cls=Command)(command)


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


def main() -> None:
    """Runs a command; a user's mistake ends in one line on stderr and an exit code of 1 or 2."""
    # Before anything of ours loads NumPy, and OpenBLAS with it.
    choose_kernel(os.environ, read_cpuinfo())
    from chainrule.core.errors import (
        ConfigError,
        DataError,
        DivergenceError,
        FolderInUseError,
        ModelFileError,
        SaveError,
    )

    codes: dict[type[Exception], int] = {
        ConfigError: 2,
        SaveError: 74,
        FolderInUseError: 75,
        DataError: 1,
        ModelFileError: 1,
        DivergenceError: 1,
        OSError: 1,
    }
    try:
        app(prog_name="chainrule")
    except tuple(codes) as error:
        words = str(error)
        if isinstance(error, OSError) and error.filename and error.strerror:
            words = f"{error.filename}: {error.strerror}"
        message = " ".join(words.split())
        if "--json" in sys.argv:
            print(json.dumps({"error": message}))
        print(f"error: {message}", file=sys.stderr)
        sys.exit(next(code for kind, code in codes.items() if isinstance(error, kind)))
