"""Learning curves: loss and validation error by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from chainrule.core.arrays import Array, Float
from chainrule.plots.style import BLUE, GREY, INK, PALE, VERMILION, amount, page, place, styled

FEW = 60
"""Most epochs drawn with point markers."""


@runtime_checkable
class EpochRecord(Protocol):
    """Fields of an epoch's record that `curves` reads."""

    @property
    def epoch(self) -> int:
        """Counted from 1."""

    @property
    def loss(self) -> float:
        """Mean over the training examples, without label smoothing and penalties."""

    @property
    def objective(self) -> float | None:
        """The same with label smoothing and penalties; None: not recorded."""

    @property
    def validation_loss(self) -> float | None:
        """Mean over the validation examples; None: not measured."""

    @property
    def validation_accuracy(self) -> float | None:
        """A fraction of 1; None: not measured."""


@styled()
def curves(history: Sequence[EpochRecord], *, of: str = "") -> Figure:
    """Learning curves: loss (training, validation) and validation error in %, by epoch.

    What was minimised is a thin line of its own if it is not the training loss. `of` says what was
    measured: how many images, which run. Values that are None or not finite are left out; without
    validation accuracy there is one panel. An axis is logarithmic where all its values are positive
    and span more than a factor of 8.
    """
    loss = _points(history, [record.loss for record in history])
    validation = _points(history, [record.validation_loss for record in history])
    differing = [one.objective if one.objective != one.loss else None for one in history]
    objective = _points(history, differing)
    accuracy = _points(history, [record.validation_accuracy for record in history])
    error = _Points(accuracy.x, 100 * (1 - accuracy.y))
    if not loss.y.size:
        return page("No learning curve: no epoch ended with a finite loss")
    title = f"{amount(len(history), 'epoch')}: loss {loss.y[0]:.3g}"
    if loss.y.size > 1:
        title += f" → {loss.y[-1]:.3g}"
    best = int(np.argmin(error.y)) if error.y.size else None
    if best is not None:
        title += f", lowest validation error {error.y[best]:.2f} % (epoch {error.x[best]:,.0f})"

    smoothed = "Pale: each epoch. Dark: the mean of its neighbours." if len(history) > FEW else ""
    left, bottom, width, height, gap = 0.5, 0.35, 3.9, 2.6, 0.45
    figure = page(
        title,
        " ".join(filter(None, [of, smoothed])),
        width=left + width + (0.0 if best is None else gap + left + width),
        height=bottom + height + 0.2,
    )
    axes = place(figure, left, bottom, width, height)
    axes.set_ylabel("loss (mean per example)")
    _line(axes, loss, color=BLUE, marker="o", label="training")
    if validation.y.size:
        _line(axes, validation, color=VERMILION, marker="s", label="validation")
    if objective.y.size:
        axes.plot(*objective, color=GREY, linewidth=0.9, ls="--", label="objective", zorder=1)
    _finish(axes, loss.x, np.concatenate([loss.y, validation.y, objective.y]))
    if best is not None:
        axes = place(figure, left + width + gap + left, bottom, width, height)
        axes.set_ylabel("validation error (%)")
        _line(axes, error, color=VERMILION, marker="s", label="validation")
        axes.plot(error.x[best], error.y[best], "o", color=INK, ms=11, mfc="none", label="lowest")
        _finish(axes, error.x, error.y)
    return figure


class _Points(NamedTuple):
    x: Float[Array, " n"]
    y: Float[Array, " n"]


def _points(history: Sequence[EpochRecord], values: Sequence[float | None]) -> _Points:
    x = np.array([record.epoch for record in history], dtype=np.float64)
    y = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    known = np.isfinite(y)
    return _Points(x[known], y[known])


def _line(axes: Axes, points: _Points, *, color: str, marker: str, label: str) -> None:
    """A line with markers for few points, so that a single epoch shows; else their running mean."""
    x, y = points
    if x.size <= FEW:
        axes.plot(x, y, color=color, marker=marker, ms=4.5, linewidth=1.8, label=label)
        return
    axes.plot(x, y, color=color, alpha=0.3, linewidth=0.8)
    window = np.ones(x.size // FEW) / (x.size // FEW)
    mean_x, mean_y = np.convolve(x, window, "valid"), np.convolve(y, window, "valid")
    axes.plot(mean_x, mean_y, color=color, linewidth=1.6, label=label)


def _finish(axes: Axes, epochs: Float[Array, " n"], values: Float[Array, " m"]) -> None:
    """Scales, grid and legend of a panel that shows `values`."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if epochs.size == 1:
        axes.set_xticks(epochs, [f"{epochs[0]:.0f}"])
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if values.min() > 0 and values.max() > 8 * values.min():
        axes.set_yscale("log")
        decades = np.log10(values.max() / values.min())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 3 else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(color=PALE, linewidth=0.7)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(which="both", length=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.99), ncols=2, frameon=False)
