"""The examples shown are the right ones, in the right order, and marked."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from chainrule.plots.examples import pencil
from helpers.pictures import (
    captions,
    contrast,
    luminance,
    mistakes,
    remarks,
    run,
    samples,
    tiles,
    title,
)


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


def test_the_nine_samples_are_from_all_over_and_the_wrong_ones_are_framed() -> None:
    r = run(12, wrong=5)
    figure = samples(r)
    assert title(figure) == "9 of 12 examples: 5 right, 4 wrong"
    shown = [0, 1, 3, 4, 6, 7, 8, 10, 11]
    drawn = [tile.ravel() for tile in tiles(figure, (28, 28))]
    np.testing.assert_array_equal(drawn, r.images[shown])
    assert captions(figure) == [
        (f"actual {r.labels[i]}", f"predicted {r.predicted[i]}") for i in shown
    ]
    axes = figure.axes[0]
    orange = [text.get_color() == "#D55E00" for text in axes.texts[1::2]]
    assert np.flatnonzero(orange).tolist() == [5, 6, 7, 8]
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    sheet = np.asarray(axes.images[0].get_array())
    framed = []
    for frame in frames:
        x, y = (round(value + 0.5) for value in frame.get_xy())
        framed.append(sheet[y : y + 28, x : x + 28].ravel())
    np.testing.assert_array_equal(framed, r.images[[7, 8, 10, 11]])


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


@pytest.mark.parametrize("inverted", [False, True])
def test_the_background_is_light_whichever_end_of_the_range_it_is(inverted: bool) -> None:
    images = np.zeros((3, 8, 8), np.float32)
    images[:, 2:6, 3:5] = 1
    drawn = pencil((1 - images if inverted else images).reshape(3, -1), (8, 8))
    paper, ink = (sum(drawn(float(value))[:3]) for value in ((1, 0) if inverted else (0, 1)))
    assert paper > 2.5 > 0.5 > ink
