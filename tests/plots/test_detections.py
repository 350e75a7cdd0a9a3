"""The picture of what was seen shows each digit where it is, and how the network saw it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chainrule.plots.detected_digits import detections
from helpers.pictures import remarks, title, visible_texts

VERMILION = (0xD5 / 255, 0x5E / 255, 0)


def figure_of(n: int, *, shape: tuple[int, ...] = (300, 400, 3), sure: float = 0.8) -> Figure:
    rng = np.random.default_rng(n)
    return detections(
        rng.integers(0, 256, shape, np.uint8),
        [(40 + 3 * i, 10 + 370 // n * i, 60, 300 // n) for i in range(n)],
        pixels=rng.random((n, 28, 28), dtype=np.float32),
        labels=[str(i % 10) for i in range(n)],
        confidence=[0.5 if i == 1 else 0.9 for i in range(n)],
        sure=sure,
        name="photo.jpg",
    )


@pytest.mark.parametrize("n", [1, 2, 7, 12, 30])
def test_each_digit_has_a_box_a_label_and_what_the_network_saw(n: int) -> None:
    figure = figure_of(n)
    photo, *tiles = figure.axes
    boxes = [patch for patch in photo.patches if isinstance(patch, Rectangle)]
    assert len(boxes) == 2 * n  # each with a white rim
    for i, box in enumerate(boxes[1::2]):
        (x, y), width, height = box.get_xy(), box.get_width(), box.get_height()
        column, row = 10 + 370 // n * i, 40 + 3 * i
        assert x <= column - 0.5
        assert x + width >= column + 300 // n - 0.5
        assert y <= row - 0.5
        assert y + height >= row + 59.5
    assert [text.get_text() for text in photo.texts] == [str(i % 10) for i in range(n)]
    assert len(tiles) == n
    rng = np.random.default_rng(n)
    rng.integers(0, 256, (300, 400, 3), np.uint8)
    for tile, pixels in zip(tiles, rng.random((n, 28, 28), dtype=np.float32), strict=True):
        np.testing.assert_array_equal(np.ma.getdata(tile.images[0].get_array()), pixels)
    assert title(figure) == f"photo.jpg: {n} digit{'s' if n > 1 else ''}"


def test_digits_below_the_threshold_are_marked_and_counted() -> None:
    figure = figure_of(7)
    assert remarks(figure).startswith("1 digit below 80 %, marked in red.")
    colors = [box.get_edgecolor()[:3] for box in figure.axes[0].patches if box.get_linewidth() < 2]
    assert [color == pytest.approx(VERMILION) for color in colors[:7]].count(True) == 1
    assert "below" not in remarks(figure_of(7, sure=0.3))


@pytest.mark.parametrize("shape", [(300, 400), (28, 28), (2000, 300), (100, 2000, 3), (1, 1)])
@pytest.mark.parametrize("n", [1, 8])
def test_pictures_of_any_form_are_drawn_and_texts_do_not_collide(
    n: int, shape: tuple[int, ...]
) -> None:
    figure = figure_of(n, shape=shape)
    width, height = figure.get_size_inches() * figure.dpi
    outside = [text for axes in figure.axes[1:] for text in axes.texts]
    extents = [box for text, box in visible_texts(figure) if text in outside]
    for left, bottom, right, top in extents:
        assert left >= 0 <= bottom
        assert right <= width
        assert top <= height
    for i, one in enumerate(extents):
        for other in extents[i + 1 :]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1]
            assert apart or other[3] <= one[1]


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="give one of each for every digit"):
        detections(
            np.zeros((9, 9), np.uint8), [], pixels=np.zeros((0, 28, 28)), labels=[],
            confidence=[], sure=0.8,
        )  # fmt: skip
