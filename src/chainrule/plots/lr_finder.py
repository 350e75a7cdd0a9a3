"""Learning-rate range test as a picture: the loss while the rate rises."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from chainrule.plots.style import BLUE, PALE, VERMILION, page, place, styled


@styled()
def learning_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    *,
    smoothed: Sequence[float],
    suggestion: float,
) -> Figure:
    """Plot of the loss of each batch against its rate, pale, its EMA, and the suggested rate."""
    left, bottom, width, height = 0.5, 0.35, 5.2, 2.6
    figure = page(
        f"Highest learning rate: {suggestion:g}",
        f"{len(rates)} steps, each at a higher rate. Pale: the loss of each batch. Dark: its "
        "moving average. The line: a tenth of the rate where that was lowest.",
        width=left + width,
        height=bottom + height + 0.2,
    )
    axes = place(figure, left, bottom, width, height)
    axes.set_xscale("log")
    axes.plot(rates, losses, color=BLUE, alpha=0.3, linewidth=0.9)
    axes.plot(rates, smoothed, color=BLUE, linewidth=1.8)
    axes.axvline(suggestion, color=VERMILION, linewidth=1.4)
    low, high = min(smoothed), max(smoothed[0], min(smoothed))
    axes.set_ylim(low - 0.1 * (high - low + 0.1), high + 0.35 * (high - low + 0.1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("learning rate")
    axes.set_ylabel("loss (mean per example)")
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.grid(color=PALE, linewidth=0.7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(which="both", length=0)
    return figure
