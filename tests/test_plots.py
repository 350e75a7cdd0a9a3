"""The pictures say what the arrays say, fit on their paper, and come out the same again."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from chainrule import plots

DIGITS = [str(digit) for digit in range(10)]
FASHION = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
BALANCED_EMNIST = list("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt")


class Epoch(NamedTuple):
    epoch: int
    loss: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    learning_rate: float = 0.1
    seconds: float = 1.0


def history(length: int) -> list[Epoch]:
    return [Epoch(k, 0.6 / k, 0.5 / k + 0.1, 0.98 - 0.1 / k) for k in range(1, length + 1)]


def matrix(K: int, *, each: int = 1000) -> np.ndarray:
    """About 3 % mistakes, and many cells without any."""
    rng = np.random.default_rng(K)
    errors = rng.poisson(0.03 * each / K * rng.gamma(0.5, 2, (K, K)))
    np.fill_diagonal(errors, each - errors.sum(axis=1))
    return errors


class Run(NamedTuple):
    images: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray


def run(N: int, *, wrong: int, shape: tuple[int, int] = (28, 28), K: int = 10) -> Run:
    """N examples, the `wrong` last of them mistaken."""
    rng = np.random.default_rng(N + wrong)
    labels = rng.integers(0, K, N)
    predicted = np.where(np.arange(N) < N - wrong, labels, (labels + 1) % K)
    images = rng.random((N, shape[0] * shape[1]), dtype=np.float32)
    return Run(images, labels, predicted, rng.uniform(0.5, 1, N))


def mistakes(r: Run, *, shape: tuple[int, int] = (28, 28), count: int = 25) -> Figure:
    return plots.mistakes(
        r.images,
        r.labels,
        predicted=r.predicted,
        confidence=r.confidence,
        shape=shape,
        classes=DIGITS,
        count=count,
    )


def samples(
    r: Run, *, classes: Sequence[str] = DIGITS, shape: tuple[int, int] = (28, 28)
) -> Figure:
    return plots.samples(r.images, r.labels, predicted=r.predicted, shape=shape, classes=classes)


def texts(owner: Figure | Axes) -> list[str]:
    return [text.get_text() for text in owner.texts]


def title(figure: Figure) -> str:
    """The bold lines of the heading."""
    return " ".join(t.get_text() for t in figure.texts if t.get_weight() == "bold")


def remarks(figure: Figure) -> str:
    return " ".join(t.get_text() for t in figure.texts if t.get_weight() != "bold")


def captions(figure: Figure) -> list[tuple[str, str]]:
    lines = texts(figure.axes[0])
    return list(zip(lines[::2], lines[1::2], strict=True))


def tiles(figure: Figure, shape: tuple[int, int]) -> list[np.ndarray]:
    """The pictures found in a mosaic: each block of values that stands in blank (NaN) paper."""
    sheet = np.ma.getdata(figure.axes[0].images[0].get_array()).astype(float)
    shown = ~np.isnan(sheet)
    h, w = shape
    corners = [
        (y, x)
        for y, x in np.argwhere(shown)
        if not (y and shown[y - 1, x]) and not (x and shown[y, x - 1])
    ]
    return [sheet[y : y + h, x : x + w] for y, x in corners]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def visible_texts(figure: Figure) -> list[tuple[Text, np.ndarray]]:
    """Each text with its extent in dots: left, bottom, right, top."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    out_of_view = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks())
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    return [
        (text, text.get_window_extent(renderer).extents)
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in out_of_view
    ]


PICTURES: dict[str, Callable[[], Figure]] = {
    "curves": lambda: plots.curves(history(10)),
    "curves of one epoch": lambda: plots.curves(history(1)),
    "curves of 2,000 epochs": lambda: plots.curves(history(2000)),
    "curves without validation": lambda: plots.curves([Epoch(k, 2.302585) for k in range(9)]),
    "confusion": lambda: plots.confusion(matrix(10), DIGITS),
    "confusion of fashion": lambda: plots.confusion(matrix(10), FASHION),
    "confusion of 2": lambda: plots.confusion(matrix(2, each=100_000), ["no", "yes"]),
    "confusion of 26": lambda: plots.confusion(matrix(26), [chr(65 + k) for k in range(26)]),
    "confusion of 47": lambda: plots.confusion(matrix(47, each=400), BALANCED_EMNIST),
    "confusion of long names": lambda: plots.confusion(matrix(3), ["m" * 40, "b", "c"]),
    "mistakes": lambda: mistakes(run(100, wrong=40)),
    "one mistake": lambda: mistakes(run(100, wrong=1)),
    "no mistake": lambda: mistakes(run(100, wrong=0)),
    "mistakes, 20 x 30": lambda: mistakes(run(50, wrong=9, shape=(20, 30)), shape=(20, 30)),
    "samples": lambda: samples(run(9, wrong=2)),
    "samples of fashion": lambda: samples(run(9, wrong=9), classes=FASHION),
    "samples, 300 x 200": lambda: samples(run(9, wrong=2, shape=(300, 200)), shape=(300, 200)),
    "first layer": lambda: plots.first_layer(np.eye(784, 128), shape=(28, 28)),
    "first layer of zeros": lambda: plots.first_layer(np.zeros((6, 1)), shape=(2, 3)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_cut_off_and_none_lies_on_another(name: str) -> None:
    figure = PICTURES[name]()
    found = visible_texts(figure)
    width, height = figure.get_size_inches() * figure.dpi
    for text, (left, bottom, right, top) in found:
        inside = left >= 0 and bottom >= 0 and right <= width and top <= height
        assert inside, text.get_text()
    upright = [(text, box) for text, box in found if text.get_rotation() in (0, 90)]
    for (one, a), (other, b) in itertools.combinations(upright, 2):
        overlap = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
        assert not (overlap > 1).all(), (one.get_text(), other.get_text())


# -- curves ---------------------------------------------------------------------------------------


def test_the_curves_are_the_numbers_of_the_history() -> None:
    records = history(10)
    loss, error = plots.curves(records).axes
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
    for axes in plots.curves([Epoch(1, 0.3, 0.2, 0.96)]).axes:
        assert all(line.get_marker() not in ("", "None") for line in axes.lines)
        assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1"]


def test_the_ring_and_the_title_name_the_epoch_of_lowest_error() -> None:
    accuracies = [0.90, 0.97, 0.975, 0.96]
    figure = plots.curves([Epoch(k, 1 / k, 1 / k, a) for k, a in enumerate(accuracies, 1)])
    ring = figure.axes[1].lines[-1]
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (3, pytest.approx(2.5))
    assert title(figure) == ("4 epochs: loss 1 → 0.25, lowest validation error 2.50 % (epoch 3)")


def test_values_that_are_none_or_not_finite_are_left_out() -> None:
    records = [Epoch(1, 0.5), Epoch(2, 0.4, 0.45, 0.9), Epoch(3, float("inf"), float("nan"), 0.8)]
    loss, error = plots.curves(records).axes
    assert [line.get_xdata().tolist() for line in loss.lines] == [[1, 2], [2]]
    assert error.lines[0].get_xdata().tolist() == [2, 3]


def test_without_validation_there_is_one_panel_and_one_curve() -> None:
    (axes,) = plots.curves([Epoch(1, 0.5), Epoch(2, 0.4)]).axes
    assert len(axes.lines) == 1


@pytest.mark.parametrize("records", [[], [Epoch(1, float("nan"))]])
def test_a_history_without_a_loss_gives_a_figure_that_says_so(records: list[Epoch]) -> None:
    figure = plots.curves(records)
    assert not figure.axes
    assert "no epoch ended with a finite loss" in title(figure)


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([1.0, 0.01], "log"), ([1.0, 0.5], "linear"), ([1.0, 0.0], "linear"), ([1.0, 1e-6], "log")],
)
def test_the_scale_is_logarithmic_where_that_shows_more(losses: list[float], scale: str) -> None:
    axes = plots.curves([Epoch(k, loss) for k, loss in enumerate(losses, 1)]).axes[0]
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert 2 <= sum(low <= tick <= high for tick in axes.get_yticks()) <= 9


def test_a_long_history_keeps_every_epoch_and_shows_its_running_mean() -> None:
    rng = np.random.default_rng(0)
    noise = rng.choice([-0.1, 0.1], 2000)
    figure = plots.curves([Epoch(k + 1, 1 - k / 4000 + noise[k]) for k in range(2000)])
    each, mean = figure.axes[0].lines
    assert len(each.get_xdata()) == 2000
    assert each.get_alpha() < 1
    # The mean of a straight line over a symmetric window is the line itself.
    line = 1 - (mean.get_xdata() - 1) / 4000
    assert np.abs(mean.get_ydata() - line).max() < 0.08
    assert np.std(mean.get_ydata() - line) < np.std(noise) / 4
    assert "Pale: each epoch" in remarks(figure)


# -- confusion ------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", [2, 10, 26, 47])
def test_the_cells_carry_the_counts_of_the_matrix(K: int) -> None:
    counts = matrix(K)
    axes = plots.confusion(counts, [f"{k}" for k in range(K)]).axes[0]
    shown = np.zeros_like(counts)
    for text in axes.texts:
        column, row = text.get_position()
        shown[row, column] = int(text.get_text())
    np.testing.assert_array_equal(shown, counts)
    assert len(axes.texts) == np.count_nonzero(counts)
    assert [axes.get_xlabel(), axes.get_ylabel()] == ["predicted", "actual"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [f"{k}" for k in range(K)]


@pytest.mark.parametrize("name", [name for name in PICTURES if name.startswith("confusion")])
def test_each_count_fits_into_its_cell(name: str) -> None:
    figure = PICTURES[name]()
    axes = figure.axes[0]
    visible_texts(figure)
    cell = axes.get_window_extent().width / (axes.get_xlim()[1] - axes.get_xlim()[0])
    for text in axes.texts:
        assert text.get_window_extent().width < cell, text.get_text()


def luminance(color: Sequence[float]) -> float:
    """Relative luminance, WCAG 2.2."""
    rgb = np.asarray(color[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """From 1 (none) to 21 (black on white), WCAG 2.2; 3 is its least for large text."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def test_counts_are_readable_on_every_colour() -> None:
    shares = [1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 400, 500]
    counts = np.diag([1000 - share for share in shares])
    counts[np.arange(13), (np.arange(13) + 1) % 13] = shares
    axes = plots.confusion(counts, [str(share) for share in shares]).axes[0]
    colours = np.asarray(axes.images[0].get_array())
    for text in axes.texts:
        column, row = text.get_position()
        assert contrast(to_rgb(text.get_color()), colours[row, column]) > 3.5, text.get_text()


def test_three_mistakes_in_a_thousand_differ_from_none_and_from_thirty() -> None:
    counts = np.array([[967, 3, 30], [0, 1000, 0], [0, 0, 1000]])
    colours = np.asarray(plots.confusion(counts, ["a", "b", "c"]).axes[0].images[0].get_array())
    none, three, thirty, right = colours[1, 0], colours[0, 1], colours[0, 2], colours[1, 1]
    for one, other in itertools.combinations([none, three, thirty, right], 2):
        assert np.abs(one - other).max() > 0.1
    assert three[0] > three[2]  # wrong: red over blue
    assert right[2] > right[0]  # right: blue over red


def test_the_colour_is_the_share_of_the_row() -> None:
    counts = np.array([[90, 10], [100, 900]])
    colours = np.asarray(plots.confusion(counts, ["a", "b"]).axes[0].images[0].get_array())
    np.testing.assert_allclose(colours[0, 1], colours[1, 0])
    np.testing.assert_allclose(colours[0, 0], colours[1, 1])


def test_the_heading_counts_and_names_the_most_frequent_mistake() -> None:
    counts = np.diag([980, 1100])
    counts[1, 0] = 35
    figure = plots.confusion(counts, ["four", "nine"])
    assert title(figure) == "2,080 of 2,115 right (98.35 %)"
    assert remarks(figure) == "Most frequent mistake: nine taken for four, 35 times."


def test_classes_never_predicted_are_named_while_they_are_few() -> None:
    counts = np.zeros((20, 20), dtype=int)
    counts[:, 0] = 5
    few = plots.confusion(counts[:3, :3], ["a", "b", "c"])
    assert remarks(few).endswith("Never predicted: b, c.")
    many = plots.confusion(counts, [str(k) for k in range(20)])
    assert remarks(many).endswith("Never predicted: 19 of 20 classes.")


def test_a_matrix_without_mistakes_or_without_counts_says_so() -> None:
    assert remarks(plots.confusion(np.diag([5, 5]), ["a", "b"])) == "No mistakes."
    empty = plots.confusion(np.zeros((2, 2), dtype=int), ["a", "b"])
    assert title(empty) == "0 of 0 right (0.00 %)"


def test_more_than_sixty_classes_show_colours_only_and_stay_on_one_page() -> None:
    figure = plots.confusion(matrix(200, each=50), [f"class {k}" for k in range(200)])
    assert not figure.axes[0].texts
    assert max(figure.get_size_inches()) < 20


@pytest.mark.parametrize("classes", [[], ["a"], ["a", "b", "c"]])
def test_class_names_that_do_not_fit_the_matrix_are_refused(classes: list[str]) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\) does not fit \d class name"):
        plots.confusion(np.eye(2, dtype=int), classes)


def test_a_name_is_written_as_it_is_cut_when_long_and_replaced_when_it_cannot_be_drawn() -> None:
    axes = plots.confusion(np.eye(4, dtype=int), ["$5_2$", "a rather long name", "お", "n\n"]).axes[
        0
    ]
    shown = [tick.get_text() for tick in axes.get_yticklabels()]
    assert shown == ["$5_2$", "a rather long…", "class 2", "class 3"]
    assert not any(tick.get_parse_math() for tick in axes.get_yticklabels())


# -- mistakes and samples -------------------------------------------------------------------------


def test_the_worst_mistakes_come_first_and_only_mistakes_come() -> None:
    r = run(300, wrong=40)
    figure = mistakes(r)
    worst = sorted(range(260, 300), key=lambda i: -r.confidence[i])[:25]
    assert captions(figure) == [
        (
            f"actual {r.labels[i]}",
            f"predicted {r.predicted[i]}, {r.confidence[i]:.1%}".replace("%", " %"),
        )
        for i in worst
    ]
    for tile, i in zip(tiles(figure, (28, 28)), worst, strict=True):
        np.testing.assert_array_equal(tile, r.images[i].reshape(28, 28))
    assert title(figure) == "25 of 40 mistakes, most confident first"
    assert remarks(figure).startswith("40 of 300 wrong (13.33 %).")


def test_equally_confident_mistakes_keep_the_order_of_the_data() -> None:
    r = run(300, wrong=100, shape=(4, 4))._replace(confidence=np.tile([0.9, 0.8], 150))
    shown = tiles(mistakes(r, shape=(4, 4), count=50), (4, 4))
    np.testing.assert_array_equal([tile.ravel() for tile in shown], r.images[200::2])


@pytest.mark.parametrize(
    ("wrong", "count", "heading"),
    [
        (1, 25, "1 mistake"),
        (7, 25, "7 mistakes, most confident first"),
        (7, 3, "3 of 7 mistakes, most confident first"),
        (25, 25, "25 mistakes, most confident first"),
    ],
)
def test_the_title_says_how_many_of_how_many(wrong: int, count: int, heading: str) -> None:
    figure = mistakes(run(60, wrong=wrong), count=count)
    assert title(figure) == heading
    assert len(tiles(figure, (28, 28))) == min(wrong, count)


def test_without_mistakes_the_figure_says_so() -> None:
    figure = mistakes(run(1234, wrong=0))
    assert title(figure) == "No mistakes: 1,234 of 1,234 right"
    assert not figure.axes


def test_no_mistakes_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="ask for one or more"):
        mistakes(run(5, wrong=2), count=0)


def test_zero_is_drawn_lighter_than_ink() -> None:
    axes = samples(run(9, wrong=0)).axes[0]
    paper, ink = axes.images[0].cmap(0.0), axes.images[0].cmap(1.0)
    assert contrast(paper, ink) > 10
    assert luminance(paper) > luminance(ink)


def test_an_evenly_grey_picture_is_drawn_as_paper() -> None:
    r = run(4, wrong=0)
    picture = samples(r._replace(images=np.full_like(r.images, 0.5))).axes[0].images[0]
    low, high = picture.get_clim()
    assert low == 0.5 < high


def test_the_nine_samples_are_the_first_and_the_wrong_ones_are_framed() -> None:
    r = run(12, wrong=5)
    figure = samples(r)
    assert title(figure) == "9 examples: 7 right, 2 wrong"
    np.testing.assert_array_equal([tile.ravel() for tile in tiles(figure, (28, 28))], r.images[:9])
    assert captions(figure) == [
        (f"actual {r.labels[i]}", f"predicted {r.predicted[i]}") for i in range(9)
    ]
    axes = figure.axes[0]
    orange = [text.get_color() == "#D55E00" for text in axes.texts[1::2]]
    assert np.flatnonzero(orange).tolist() == [7, 8]
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    sheet = np.asarray(axes.images[0].get_array())
    framed = []
    for frame in frames:
        x, y = (round(value + 0.5) for value in frame.get_xy())
        framed.append(sheet[y : y + 28, x : x + 28].ravel())
    np.testing.assert_array_equal(framed, r.images[7:9])


def test_pictures_that_are_not_square_keep_their_shape() -> None:
    r = run(5, wrong=1, shape=(20, 30))
    figure = samples(r, shape=(20, 30))
    for tile, image in zip(tiles(figure, (20, 30)), r.images, strict=True):
        np.testing.assert_array_equal(tile, image.reshape(20, 30))
    axes = figure.axes[0]
    sheet = axes.images[0].get_array()
    box = axes.get_window_extent()
    assert box.width / sheet.shape[1] == pytest.approx(box.height / sheet.shape[0])


def test_pixels_of_a_small_picture_cover_whole_dots() -> None:
    axes = samples(run(9, wrong=0, shape=(20, 30)), shape=(20, 30)).axes[0]
    dots = axes.get_window_extent().width / axes.images[0].get_array().shape[1]
    assert dots == pytest.approx(round(dots))


def test_examples_that_do_not_fit_are_refused() -> None:
    r = run(9, wrong=2)
    with pytest.raises(ValueError, match="20 x 20 pixels: give 400 columns"):
        samples(r, shape=(20, 20))
    with pytest.raises(ValueError, match="class 4 has no name among 4 names"):
        samples(r._replace(labels=np.full(9, 4)), classes=list("abcd"))
    with pytest.raises(ValueError, match="class -1 has no name"):
        samples(r._replace(predicted=np.full(9, -1)))
    with pytest.raises(ValueError, match="give at least one"):
        samples(run(0, wrong=0))


# -- first layer ----------------------------------------------------------------------------------


def test_each_unit_is_shown_as_its_own_column_of_W() -> None:
    W = np.random.default_rng(0).standard_normal((12, 70)).astype(np.float32)
    figure = plots.first_layer(W, shape=(3, 4))
    shown = tiles(figure, (3, 4))
    assert len(shown) == 64
    np.testing.assert_array_equal([tile.ravel() for tile in shown], W[:, :64].T)
    assert title(figure) == "First layer: 64 of 70 units"


def test_the_colour_scale_is_symmetric_about_zero_and_not_stretched_by_one_weight() -> None:
    W = np.random.default_rng(1).uniform(-1, 0.25, (784, 16))
    W[5, 5] = 1000
    image = plots.first_layer(W, shape=(28, 28)).axes[0].images[0]
    low, high = image.get_clim()
    assert low == -high
    assert 0.9 < high < 1.1
    negative, zero, positive = image.cmap([0.0, 0.5, 1.0])
    assert negative[2] > negative[0]
    assert np.ptp(zero[:3]) < 0.02
    assert positive[0] > positive[2]


def test_weights_that_are_all_zero_are_drawn_on_a_scale_of_one() -> None:
    image = plots.first_layer(np.zeros((4, 2)), shape=(2, 2)).axes[0].images[0]
    assert image.get_clim() == (-1, 1)


@pytest.mark.parametrize(
    ("W", "count"),
    [
        (np.zeros((5, 2)), 64),
        (np.zeros((4, 0)), 64),
        (np.full((4, 2), np.nan), 64),
        (np.zeros((4, 2)), 0),
    ],
)
def test_weights_that_cannot_be_pictures_are_refused(W: np.ndarray, count: int) -> None:
    with pytest.raises(ValueError, match="give finite weights with 4 rows"):
        plots.first_layer(W, shape=(2, 2), count=count)


# -- save, and what surrounds it ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["curves", "confusion", "mistakes", "samples", "first layer"])
def test_the_same_input_gives_the_same_bytes_whatever_the_user_has_set(
    name: str, tmp_path: Path
) -> None:
    plots.save(PICTURES[name](), tmp_path / "one.png")
    odd = {"axes.grid": True, "font.size": 20, "image.cmap": "jet", "savefig.facecolor": "red"}
    with matplotlib.rc_context({**odd, "lines.linewidth": 9, "savefig.bbox": "tight"}):
        plots.save(PICTURES[name](), tmp_path / "two.png")
        assert matplotlib.rcParams["font.size"] == 20  # the user's settings are left alone
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_the_file_is_a_png_without_notes_about_the_program(tmp_path: Path) -> None:
    figure = PICTURES["samples"]()
    plots.save(figure, str(tmp_path / "picture.PNG"))
    with Image.open(tmp_path / "picture.PNG") as picture:
        assert picture.format == "PNG"
        assert set(picture.info) == {"dpi"}
        assert picture.size == pytest.approx(figure.get_size_inches() * 150, abs=1)
    assert names(tmp_path) == ["picture.PNG"]


def test_a_failed_save_leaves_the_old_picture_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "picture.png"
    target.write_bytes(b"old")

    def full(path: Path, *_: object) -> None:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        plots.save(PICTURES["no mistake"](), target)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["picture.png"]


def test_a_name_that_is_not_a_png_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    figure = PICTURES["no mistake"]()
    with pytest.raises(ValueError, match=r"'picture.jpg': give it a name ending in .png"):
        plots.save(figure, tmp_path / "picture.jpg")
    with pytest.raises(FileNotFoundError, match=r"create the folder .*gone first"):
        plots.save(figure, tmp_path / "gone" / "picture.png")
    assert names(tmp_path) == []


def test_it_needs_no_screen_no_font_cache_and_no_pyplot(tmp_path: Path) -> None:
    program = """
import sys
import numpy as np
from chainrule import plots
plots.save(plots.confusion(np.eye(3, dtype=int), ["a", "b", "c"]), sys.argv[1])
assert "matplotlib.pyplot" not in sys.modules
for labels, confidence in ((np.zeros(3, int), np.ones(2)), (np.zeros(2, int), np.ones(3))):
    try:
        plots.mistakes(np.zeros((2, 4)), labels, predicted=np.zeros(2, int),
                       confidence=confidence, shape=(2, 2), classes=["a"])
    except ValueError as error:
        print(error)
"""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    }
    (tmp_path / "cache").mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path / "picture.png")],
        env=environment | {"MPLCONFIGDIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Shapes are checked without jaxtyping too, which a user's process never loads.
    first, second = done.stdout.splitlines()
    assert first.startswith("images of shape (2, 4), 3 labels and 2 predictions do not fit")
    assert second.endswith("give one confidence for each label")
    assert (tmp_path / "picture.png").stat().st_size > 1000
