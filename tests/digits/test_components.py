"""Parts are those of SciPy; strokes, digits and lines are told apart by where they stand."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.digits.components import (
    Group,
    belongs,
    connected,
    grouped,
    in_reading_order,
    strokes,
)
from conftest import oracle


@pytest.mark.parametrize("share", [0.02, 0.2, 0.4, 0.5, 0.6, 0.9])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (37, 53), (200, 130)])
def test_parts_are_those_of_scipy(share: float, shape: tuple[int, int]) -> None:
    ndimage = oracle("scipy.ndimage")
    mask = np.random.default_rng(shape[0]).random(shape) < share
    expected, count = ndimage.label(mask, np.ones((3, 3)))
    labels, boxes = connected(mask)
    assert len(boxes) == count
    # SciPy numbers parts by their first pixels too.
    np.testing.assert_array_equal(labels, expected)
    for box, (rows, columns) in zip(boxes, ndimage.find_objects(expected), strict=True):
        assert box.tolist() == [rows.start, columns.start, rows.stop, columns.stop]


def test_a_spiral_is_one_part() -> None:
    """Each turn is joined to the next only at its end: numbers must travel all the way."""
    side = 61
    mask = np.zeros((side, side), bool)
    row, column, down, across = 0, 0, 0, 1
    for length in sorted([*range(2, side, 2)] * 2, reverse=True)[:-1]:
        for _ in range(length):
            mask[row, column] = True
            row, column = row + down, column + across
        down, across = across, -down
    assert connected(mask).boxes.shape == (1, 4)


def group(top: int, left: int, bottom: int, right: int) -> Group:
    return Group((1,), top, left, bottom, right)


@pytest.mark.parametrize(
    ("piece", "one"),
    [
        (group(0, 10, 8, 45), True),  # the bar of a 5, above it to the right
        (group(-12, 5, -4, 30), True),  # the bar, with a gap
        (group(0, 43, 8, 60), True),  # the bar beside it, a little apart
        (group(45, 50, 52, 70), False),  # a dash behind the digit
        (group(45, 43, 52, 62), False),  # a dash that nearly touches
        (group(90, 50, 100, 58), False),  # a point
        (group(0, 50, 98, 90), False),  # the next digit
        (group(2, 42, 98, 80), False),  # the next digit, close by
        (group(130, 0, 228, 40), False),  # the digit of the next line
        (group(112, 0, 210, 40), False),  # the same, close by
    ],
)
def test_what_belongs_to_a_digit_of_100_by_40_pixels(piece: Group, one: bool) -> None:
    assert belongs(piece, group(0, 0, 100, 40)) == one


def test_dots_and_dashes_are_no_digits_and_broken_digits_are_whole() -> None:
    digits = [group(0, x, 50 + x % 7, x + 30) for x in range(0, 400, 50)]
    bar = group(-6, 8, -2, 30)
    dash, dot = group(24, 133, 28, 145), group(46, 184, 52, 190)
    found = grouped([bar, *digits, dash, dot])
    assert len(found) == 8
    assert sorted((digit.left, digit.top) for digit in found)[0] == (0, -6)


def test_nothing_is_no_digit() -> None:
    assert grouped([]) == []


def test_specks_lines_and_margins_are_no_strokes() -> None:
    mask = np.zeros((200, 300), bool)
    mask[60:140, 100:110] = True
    mask[160, 10:290] = True  # a ruled line
    mask[:, :5] = True  # a shadow along the edge
    mask[20:23, 200:203] = True  # a speck
    kept = strokes(connected(mask), mask.shape, 8)
    assert [(g.top, g.left, g.bottom, g.right) for g in kept] == [(60, 100, 140, 110)]


def test_all_that_is_drawn_is_kept_where_nothing_else_is_there() -> None:
    mask = np.zeros((200, 300), bool)
    mask[10:190, 2:14] = True
    assert len(strokes(connected(mask), mask.shape, 8)) == 1


@pytest.mark.parametrize("slope", [-0.25, 0, 0.25])
def test_lines_that_slant_are_read_one_after_the_other(slope: float) -> None:
    rng = np.random.default_rng(0)
    expected = [
        [
            group(top := int(100 * line + slope * x), x, top + int(rng.integers(40, 60)), x + 30)
            for x in range(0, 500, 45)
        ]
        for line in range(3)
    ]
    mixed = [digit for line in expected for digit in line]
    rng.shuffle(mixed)
    assert in_reading_order(mixed) == expected
