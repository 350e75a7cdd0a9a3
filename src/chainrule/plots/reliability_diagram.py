"""Reliability diagram: accuracy against confidence."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from chainrule.core.statistics import wilson_interval
from chainrule.evaluation.calibration import Bins
from chainrule.plots.style import BLUE, GREY, PALE, VERMILION, amount, page, place, styled

SIDE, HISTOGRAM = 4.2, 1.15
"""Inches: the diagram is square, so that the diagonal is one; the histogram is below it."""


FLOOR = 0.7
"""Lower end of the log scale of counts: a single answer still shows."""


@styled()
def reliability(
    bins: Bins,
    *,
    after: Bins | None = None,
    temperature: float | None = None,
    fitted_on: int = 0,
) -> Figure:
    """Reliability diagram: accuracy by confidence with 95 % intervals, and the count of each bin.

    On the diagonal the network is calibrated; above it underconfident, below it overconfident.
    `after`: the same answers at a `temperature`, `fitted_on` so many other images. Raises
    ValueError without an answer, when the two differ in number of answers or bins, or for one of
    the two alone.
    """
    answers, M = int(bins.counts.sum()), len(bins.counts)
    if not answers:
        raise ValueError("no answer to draw: give bins that hold at least one")
    if (after is None) != (temperature is None):
        raise ValueError("give `after` and its `temperature` together, or neither")
    if after is not None and (len(after.counts), int(after.counts.sum())) != (M, answers):
        raise ValueError(
            f"{amount(answers, 'answer')} in {amount(M, 'bin')} before and "
            f"{amount(int(after.counts.sum()), 'answer')} in {amount(len(after.counts), 'bin')} "
            "after: give the same answers in as many bins"
        )
    title = f"Calibration error {_percent(bins.error)}"
    if after is not None:
        title += f", at temperature {temperature:.3g}: {_percent(after.error)}"
    left, bottom, gap = 0.6, 0.3, 0.3
    figure = page(
        title,
        f"Mean confidence {_percent(bins.mean_confidence)}, accuracy "
        f"{_percent(bins.right.sum() / answers)}. {amount(answers, 'answer')} in "
        f"{amount(M, 'bin')}, each with its 95 % interval."
        + (f" Temperature fitted on {amount(fitted_on, 'other image')}." if fitted_on else ""),
        width=left + SIDE + 0.15,
        height=bottom + HISTOGRAM + gap + SIDE + (0.0 if after is None else 0.2),
    )
    diagram = place(figure, left, bottom + HISTOGRAM + gap, SIDE, SIDE)
    histogram = place(figure, left, bottom, SIDE, HISTOGRAM)
    diagram.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    name = "" if after is None else "as trained"
    _points(diagram, bins, color=BLUE, marker="o", label=name)
    _counts(histogram, bins, color=BLUE, filled=True)
    if after is not None:
        _points(diagram, after, color=VERMILION, marker="s", label=f"temperature {temperature:.3g}")
        _counts(histogram, after, color=VERMILION, filled=False)
        diagram.legend(loc="lower right", bbox_to_anchor=(1.02, 0.99), ncols=2, frameon=False)
    _finish(diagram, histogram, most=int(max(bins.counts.max(), (after or bins).counts.max())))
    return figure


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _points(axes: Axes, bins: Bins, *, color: str, marker: str, label: str) -> None:
    """Points of the non-empty bins: mean confidence, accuracy, and the latter's interval."""
    filled = np.flatnonzero(bins.counts)
    accuracy = bins.accuracy[filled]
    ends = [wilson_interval(int(bins.right[i]), int(bins.counts[i])) for i in filled]
    low, high = np.array(ends).T
    axes.errorbar(
        bins.confidence[filled],
        accuracy,
        yerr=np.maximum([accuracy - low, high - accuracy], 0),
        color=color,
        marker=marker,
        markersize=5,
        linewidth=1.4,
        elinewidth=1.2,
        clip_on=False,
        zorder=3,
        label=label,
    )


def _counts(axes: Axes, bins: Bins, *, color: str, filled: bool) -> None:
    """Histogram of answers by bin; an empty bin lies at the bottom of the log scale."""
    axes.stairs(
        np.maximum(bins.counts, FLOOR),
        np.linspace(0, 1, len(bins.counts) + 1),
        baseline=FLOOR,
        fill=filled,
        color=color,
        alpha=0.3 if filled else 1,
        linewidth=0 if filled else 1.4,
    )


def _finish(diagram: Axes, histogram: Axes, *, most: int) -> None:
    """Scales, labels and grid of both axes, which share x."""
    diagram.text(0.03, 0.98, "underconfident", color=GREY, va="top")
    diagram.text(0.99, 0.03, "overconfident", color=GREY, ha="right")
    percent = PercentFormatter(1, symbol=" %")
    diagram.set_ylim(0, 1.02)
    diagram.set_ylabel("accuracy")
    diagram.yaxis.set_major_formatter(percent)
    histogram.set_yscale("log")
    histogram.set_ylim(FLOOR, 2 * most)
    histogram.set_ylabel("answers")
    histogram.yaxis.set_major_locator(LogLocator(numticks=4))
    histogram.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    histogram.yaxis.set_minor_formatter(NullFormatter())
    histogram.set_xlabel("confidence")
    for axes in (diagram, histogram):
        axes.set_xlim(0, 1.02)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.set_axisbelow(True)
        axes.grid(color=PALE, linewidth=0.7)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(which="both", length=0)
    histogram.xaxis.set_major_formatter(percent)
    diagram.tick_params(labelbottom=False)
