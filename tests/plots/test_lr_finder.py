"""The picture of the search for a learning rate shows what was measured."""

from __future__ import annotations

import numpy as np

from chainrule.plots.lr_finder import learning_rates
from helpers.pictures import title

RATES = [float(rate) for rate in np.geomspace(1e-5, 1, 30)]
LOSSES = [abs(np.log10(rate) + 2) + 0.1 for rate in RATES]


def test_the_curves_and_the_line_are_the_numbers_given() -> None:
    figure = learning_rates(RATES, LOSSES, smoothed=LOSSES[::-1], suggestion=1e-3)
    (axes,) = figure.axes
    pale, dark, line = axes.lines
    np.testing.assert_array_equal(pale.get_xdata(), RATES)
    np.testing.assert_array_equal(pale.get_ydata(), LOSSES)
    np.testing.assert_array_equal(dark.get_ydata(), LOSSES[::-1])
    assert list(line.get_xdata()) == [1e-3, 1e-3]
    assert "0.001" in title(figure)


def test_rates_are_written_as_numbers() -> None:
    figure = learning_rates(RATES, LOSSES, smoothed=LOSSES, suggestion=1e-3)
    figure.canvas.draw()
    labels = {tick.get_text() for tick in figure.axes[0].get_xticklabels()}
    assert {"0.001", "0.01"} <= labels
    assert not any("$" in label for label in labels)


def test_a_single_step_is_drawn_too() -> None:
    assert learning_rates([1e-6], [2.3], smoothed=[2.3], suggestion=1e-7).axes
