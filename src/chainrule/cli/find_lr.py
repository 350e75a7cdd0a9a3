"""Output of `chainrule train --find-lr`: the suggested learning rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.cli.console import print_json, show

if TYPE_CHECKING:
    from chainrule.runs.lr_search import LearningRateSearch


def print_search(found: LearningRateSearch, *, as_json: bool) -> None:
    """Prints the suggestion and how to train with it; or the one JSON object."""
    if as_json:
        print_json(found.as_json())
        return
    search = found.search
    show(
        f"learning rate {search.suggestion:g}: a tenth of where the loss was lowest, "
        f"{min(search.smoothed):.4g} after {search.smoothed[0]:.4g} (moving averages of "
        f"{len(search.rates)} batches, one at each rate from {search.rates[0]:g} to "
        f"{search.rates[-1]:.2g})"
    )
    show(f"to train with it: chainrule train ... --learning-rate {search.suggestion:g}")
