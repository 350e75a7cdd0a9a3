"""The reliability diagram shows each bin's figures as they are, and says how far they are off."""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chainrule.core.statistics import wilson_interval
from chainrule.evaluation.calibration import Bins, fit_temperature, reliability, tempered
from chainrule.plots.reliability_diagram import reliability as diagram
from chainrule.plots.style import save
from helpers.pictures import remarks, title, visible_texts


def network(N: int, *, sharpness: float, K: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities, labels) of a network that is more or less sure than it is right."""
    rng = np.random.default_rng(N)
    labels = rng.integers(0, K, N)
    logits = rng.normal(size=(N, K)) + 4 * np.eye(K)[labels]
    powers = np.exp(sharpness * logits)
    return powers / powers.sum(axis=1, keepdims=True), labels


def with_temperature(N: int, *, sharpness: float) -> Figure:
    probabilities, labels = network(N, sharpness=sharpness)
    T = fit_temperature(probabilities, labels)
    after = reliability(tempered(probabilities, T), labels)
    return diagram(reliability(probabilities, labels), after=after, temperature=T)


def without(N: int, *, sharpness: float, bins: int = 15) -> Figure:
    return diagram(reliability(*network(N, sharpness=sharpness), bins=bins))


CASES = {
    "too modest": lambda: with_temperature(10_000, sharpness=0.4),
    "too sure": lambda: with_temperature(10_000, sharpness=9.0),
    "no temperature": lambda: without(10_000, sharpness=1.0),
    "one answer": lambda: without(1, sharpness=1.0),
    "a million answers": lambda: without(1_000_000, sharpness=0.6),
    "one bin": lambda: without(300, sharpness=1.0, bins=1),
    "a hundred bins": lambda: without(5000, sharpness=0.5, bins=100),
}


def points(axes: Axes, series: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(confidence, accuracy, the ends of each bar) of a series."""
    line, _, (bars,) = axes.containers[series]
    return line.get_xdata(), line.get_ydata(), np.array(bars.get_segments())[:, :, 1]


def test_each_point_is_a_bin_with_its_wilson_interval_and_empty_bins_have_none() -> None:
    bins = reliability(*network(400, sharpness=0.7))
    filled = np.flatnonzero(bins.counts)
    assert 2 < len(filled) < 15
    confidence, accuracy, ends = points(diagram(bins).axes[0], 0)
    np.testing.assert_array_equal(confidence, bins.confidence[filled])
    np.testing.assert_array_equal(accuracy, bins.right[filled] / bins.counts[filled])
    expected = [wilson_interval(int(bins.right[i]), int(bins.counts[i])) for i in filled]
    np.testing.assert_allclose(ends, expected, atol=1e-12)


def test_the_answers_below_are_the_counts() -> None:
    bins = reliability(*network(400, sharpness=0.7))
    histogram = diagram(bins).axes[1]
    values, edges, floor = histogram.patches[0].get_data()
    np.testing.assert_array_equal(values[bins.counts > 0], bins.counts[bins.counts > 0])
    assert (values[bins.counts == 0] == floor).all()
    assert 0 < floor < 1  # a single answer still shows
    np.testing.assert_allclose(edges, np.linspace(0, 1, 16))


def test_both_panels_share_what_is_across_and_the_diagram_is_square() -> None:
    figure = without(400, sharpness=0.7)
    diagram, histogram = figure.axes
    assert diagram.get_xlim() == histogram.get_xlim() == diagram.get_ylim()
    box, below = diagram.get_window_extent(), histogram.get_window_extent()
    assert box.width == pytest.approx(box.height)
    assert (box.x0, box.x1) == pytest.approx((below.x0, below.x1))


def test_the_heading_says_how_far_off_before_and_after() -> None:
    probabilities, labels = network(10_000, sharpness=0.4)
    before, after = (reliability(p, labels) for p in (probabilities, tempered(probabilities, 0.4)))
    figure = diagram(before, after=after, temperature=0.4)
    assert title(figure) == (
        f"Calibration error {100 * before.error:.2f} %, at temperature 0.4: "
        f"{100 * after.error:.2f} %"
    )
    mean, accuracy = probabilities.max(axis=1).mean(), (probabilities.argmax(1) == labels).mean()
    assert remarks(figure) == (
        f"Mean confidence {100 * mean:.2f} %, accuracy {100 * accuracy:.2f} %. "
        "10,000 answers in 15 bins, each with its 95 % interval."
    )
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "as trained",
        "temperature 0.4",
    ]
    np.testing.assert_array_equal(points(figure.axes[0], 1)[0], after.confidence[after.counts > 0])


def test_without_a_temperature_there_is_no_legend() -> None:
    figure = without(400, sharpness=1.0)
    assert figure.axes[0].get_legend() is None
    assert "temperature" not in title(figure)


@pytest.mark.parametrize("name", CASES)
def test_no_text_is_cut_off_and_none_lies_on_another(name: str) -> None:
    figure = CASES[name]()
    found = visible_texts(figure)
    width, height = figure.get_size_inches() * figure.dpi
    for text, (left, bottom, right, top) in found:
        assert left >= 0 <= bottom, text.get_text()
        assert right <= width, text.get_text()
        assert top <= height, text.get_text()
    for (one, a), (other, b) in itertools.combinations(found, 2):
        overlap = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        assert not (overlap > 1).all(), (one.get_text(), other.get_text())


def test_the_same_bins_give_the_same_bytes_whatever_the_user_has_set(tmp_path: Path) -> None:
    save(CASES["too sure"](), tmp_path / "one.png")
    with matplotlib.rc_context({"axes.grid": True, "font.size": 20, "errorbar.capsize": 9}):
        save(CASES["too sure"](), tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_bins_that_do_not_fit_are_refused() -> None:
    some, fewer = (reliability(*network(N, sharpness=1.0)) for N in (20, 19))
    coarse = reliability(*network(20, sharpness=1.0), bins=3)
    nothing = Bins(np.zeros(15, int), np.zeros(15, int), np.zeros(15))
    with pytest.raises(ValueError, match="no answer to draw"):
        diagram(nothing)
    with pytest.raises(ValueError, match="together, or neither"):
        diagram(some, after=some)
    with pytest.raises(ValueError, match="together, or neither"):
        diagram(some, temperature=2.0)
    for after, words in ((fewer, "19 answers in 15 bins after"), (coarse, "in 3 bins after")):
        with pytest.raises(ValueError, match=words):
            diagram(some, after=after, temperature=2.0)
