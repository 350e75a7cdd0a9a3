"""The confusion matrix shows every count, and few mistakes too."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from chainrule.plots.confusion_matrix import confusion
from helpers.pictures import PICTURES, contrast, matrix, remarks, title, visible_texts


@pytest.mark.parametrize("K", [2, 10, 26, 47])
def test_the_cells_carry_the_counts_of_the_matrix(K: int) -> None:
    counts = matrix(K)
    axes = confusion(counts, [f"{k}" for k in range(K)]).axes[0]
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


def test_counts_are_readable_on_every_colour() -> None:
    shares = [1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 400, 500]
    counts = np.diag([1000 - share for share in shares])
    counts[np.arange(13), (np.arange(13) + 1) % 13] = shares
    axes = confusion(counts, [str(share) for share in shares]).axes[0]
    colours = np.asarray(axes.images[0].get_array())
    for text in axes.texts:
        column, row = text.get_position()
        assert contrast(to_rgb(text.get_color()), colours[row, column]) > 3.5, text.get_text()


def test_three_mistakes_in_a_thousand_differ_from_none_and_from_thirty() -> None:
    counts = np.array([[967, 3, 30], [0, 1000, 0], [0, 0, 1000]])
    colours = np.asarray(confusion(counts, ["a", "b", "c"]).axes[0].images[0].get_array())
    none, three, thirty, right = colours[1, 0], colours[0, 1], colours[0, 2], colours[1, 1]
    for one, other in itertools.combinations([none, three, thirty, right], 2):
        assert np.abs(one - other).max() > 0.1
    assert three[0] > three[2]  # wrong: red over blue
    assert right[2] > right[0]  # right: blue over red


def test_the_colour_is_the_share_of_the_row() -> None:
    counts = np.array([[90, 10], [100, 900]])
    colours = np.asarray(confusion(counts, ["a", "b"]).axes[0].images[0].get_array())
    np.testing.assert_allclose(colours[0, 1], colours[1, 0])
    np.testing.assert_allclose(colours[0, 0], colours[1, 1])


def test_the_heading_counts_and_names_the_most_frequent_mistake() -> None:
    counts = np.diag([980, 1100])
    counts[1, 0] = 35
    figure = confusion(counts, ["four", "nine"])
    assert title(figure) == "2,080 of 2,115 right (98.35 %)"
    assert remarks(figure) == "Most frequent mistake: nine taken for four, 35 times."


def test_classes_never_predicted_are_named_while_they_are_few() -> None:
    counts = np.zeros((20, 20), dtype=int)
    counts[:, 0] = 5
    few = confusion(counts[:3, :3], ["a", "b", "c"])
    assert remarks(few).endswith("Never predicted: b, c.")
    absent = confusion(np.diag([5, 0, 2]), ["a", "b", "c"])
    assert remarks(absent) == "No mistakes. Never predicted: b. No example: b."
    many = confusion(counts, [str(k) for k in range(20)])
    assert remarks(many).endswith("Never predicted: 19 of 20 classes.")


def test_a_matrix_without_mistakes_or_without_counts_says_so() -> None:
    assert remarks(confusion(np.diag([5, 5]), ["a", "b"])) == "No mistakes."
    empty = confusion(np.zeros((2, 2), dtype=int), ["a", "b"])
    assert title(empty) == "0 of 0 right (0.00 %)"


def test_more_than_sixty_classes_show_colours_only_and_stay_on_one_page() -> None:
    figure = confusion(matrix(200, each=50), [f"class {k}" for k in range(200)])
    assert not figure.axes[0].texts
    assert max(figure.get_size_inches()) < 20


@pytest.mark.parametrize("classes", [[], ["a"], ["a", "b", "c"]])
def test_class_names_that_do_not_fit_the_matrix_are_refused(classes: list[str]) -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 2\) does not fit \d class name"):
        confusion(np.eye(2, dtype=int), classes)


def test_a_name_is_written_as_it_is_cut_when_long_and_replaced_when_it_cannot_be_drawn() -> None:
    axes = confusion(np.eye(4, dtype=int), ["$5_2$", "a rather long name", "お", "n\n"]).axes[0]
    shown = [tick.get_text() for tick in axes.get_yticklabels()]
    assert shown == ["$5_2$", "a rather long…", "class 2", "class 3"]
    assert not any(tick.get_parse_math() for tick in axes.get_yticklabels())
