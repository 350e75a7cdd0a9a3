"""Progress display of training: a bar on a terminal, a line an epoch elsewhere, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from chainrule.cli.console import note
from chainrule.cli.streams import styled

if TYPE_CHECKING:
    from chainrule.training.train import Epoch


def shown(epochs: Iterator[Epoch], total: int, *, quiet: bool) -> Iterator[Epoch]:
    """The epochs, each shown on stderr as it passes."""
    if quiet:
        return epochs
    return _bar(epochs, total) if sys.stderr.isatty() else _lines(epochs, total)


def _lines(epochs: Iterator[Epoch], total: int) -> Iterator[Epoch]:
    # Long runs of short epochs, as the articles have them, get about fifty lines.
    every = -(-total // 50)
    for epoch in epochs:
        if epoch.epoch % every == 0 or epoch.epoch in (1, total):
            note(f"epoch {epoch.epoch}/{total}  {summary(epoch)}  {epoch.seconds:.2f} s")
        yield epoch


def _bar(epochs: Iterator[Epoch], total: int) -> Iterator[Epoch]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    with Progress(
        SpinnerColumn(),
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(file=styled(sys.stderr)),
    ) as progress:
        task = progress.add_task("", total=total)
        for epoch in epochs:
            progress.update(task, advance=1, description=summary(epoch))
            yield epoch


def summary(epoch: Epoch) -> str:
    """Summary of an epoch: loss and, where measured, validation accuracy."""
    text = f"loss {epoch.loss:.4f}"
    if epoch.validation_accuracy is not None:
        text += f"  validation {100 * epoch.validation_accuracy:.2f} %"
    return text
