"""The learning curves are the numbers of the history."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.plots.learning_curves import curves
from helpers.pictures import Epoch, history, remarks, title


def test_the_curves_are_the_numbers_of_the_history() -> None:
    records = history(10)
    loss, error = curves(records).axes
    training, validation = loss.lines
    np.testing.assert_array_equal(training.get_xdata(), range(1, 11))
    np.testing.assert_array_equal(training.get_ydata(), [r.loss for r in records])
    np.testing.assert_array_equal(validation.get_ydata(), [r.validation_loss for r in records])
    assert error.lines[0].get_ydata()[0] == pytest.approx(12)  # 88 % right
    assert [loss.get_ylabel(), error.get_ylabel()] == [
        "loss (mean per example)",
        "validation error (%)",
    ]


def test_a_single_epoch_shows_as_a_point_on_a_tick() -> None:
    for axes in curves([Epoch(1, 0.3, 0.2, 0.96)]).axes:
        assert all(line.get_marker() not in ("", "None") for line in axes.lines)
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1"]


def test_the_ring_and_the_title_name_the_epoch_of_lowest_error() -> None:
    accuracies = [0.90, 0.97, 0.975, 0.96]
    figure = curves([Epoch(k, 1 / k, 1 / k, a) for k, a in enumerate(accuracies, 1)])
    ring = figure.axes[1].lines[-1]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (3, pytest.approx(2.5))
    assert title(figure) == ("4 epochs: loss 1 → 0.25, lowest validation error 2.50 % (epoch 3)")


def test_values_that_are_none_or_not_finite_are_left_out() -> None:
    records = [Epoch(1, 0.5), Epoch(2, 0.4, 0.45, 0.9), Epoch(3, float("inf"), float("nan"), 0.8)]
    loss, error = curves(records).axes
    assert [line.get_xdata().tolist() for line in loss.lines] == [[1, 2], [2]]
    assert error.lines[0].get_xdata().tolist() == [2, 3]


def test_without_validation_there_is_one_panel_and_one_curve() -> None:
    (axes,) = curves([Epoch(1, 0.5), Epoch(2, 0.4)]).axes
    assert len(axes.lines) == 1


@pytest.mark.parametrize("records", [[], [Epoch(1, float("nan"))]])
def test_a_history_without_a_loss_gives_a_figure_that_says_so(records: list[Epoch]) -> None:
    figure = curves(records)
    assert not figure.axes
    assert "no epoch ended with a finite loss" in title(figure)


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([1.0, 0.01], "log"), ([1.0, 0.5], "linear"), ([1.0, 0.0], "linear"), ([1.0, 1e-6], "log")],
)
def test_the_scale_is_logarithmic_where_that_shows_more(losses: list[float], scale: str) -> None:
    axes = curves([Epoch(k, loss) for k, loss in enumerate(losses, 1)]).axes[0]
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert 2 <= sum(low <= tick <= high for tick in axes.get_yticks()) <= 9


def test_a_long_history_keeps_every_epoch_and_shows_its_running_mean() -> None:
    rng = np.random.default_rng(0)
    noise = rng.choice([-0.1, 0.1], 2000)
    figure = curves([Epoch(k + 1, 1 - k / 4000 + noise[k]) for k in range(2000)])
    each, mean = figure.axes[0].lines
    assert len(each.get_xdata()) == 2000
    assert each.get_alpha() < 1
    # The mean of a straight line over a symmetric window is the line itself.
    line = 1 - (mean.get_xdata() - 1) / 4000
    assert np.abs(mean.get_ydata() - line).max() < 0.08
    assert np.std(mean.get_ydata() - line) < np.std(noise) / 4
    assert "Pale: each epoch" in remarks(figure)


def test_what_is_minimised_is_a_thin_line_of_its_own_where_it_is_not_the_loss() -> None:
    loss, _ = curves([each._replace(objective=each.loss + 0.4) for each in history(5)]).axes
    training, validation, objective = loss.lines
    np.testing.assert_allclose(objective.get_ydata() - training.get_ydata(), 0.4)
    assert objective.get_label() == "objective"
    assert objective.get_linewidth() < validation.get_linewidth()
    assert loss.get_ylim()[1] > 1.0
    for same in (None, "loss"):
        records = [each._replace(objective=same and each.loss) for each in history(5)]
        assert len(curves(records).axes[0].lines) == 2
