"""Connected components of a drawing, and their grouping into digits.

Components are found by run-length labelling: adjacent pixels of a row form a run, and runs of
neighbouring rows that touch, corners included, belong to one component. web/static/components.js
does the same, function by function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Int

SPECK = 0.08
"""A part whose longer side is below this fraction of the longest one's is not a stroke."""
MOST_PARTS = 400
"""More strokes than this are texture, not writing."""
EDGE_STRIP = 0.08
"""A part within this fraction of an edge, along half of it, is a shadow or a margin."""
LINE = 8
"""A part this many times as wide as high is a ruled line or a dash."""
SMALL, SHORT = 0.25, 0.45
"""Fractions of the tallest and of the median digit's height below which it is a dot or a dash."""


class Parts(NamedTuple):
    """Connected components of a mask, numbered from 1 in the order of their first pixels."""

    labels: Int[Array, "h w"]
    """The number of each pixel's part; 0: paper."""
    boxes: Int[Array, "n 4"]
    """top, left, bottom, right of each part; bottom and right are the first pixels outside."""


@dataclass(frozen=True)
class Group:
    """Group of parts that form one digit, and its bounding box."""

    members: tuple[int, ...]
    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Pixels."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Pixels."""
        return self.right - self.left

    def with_(self, other: Group) -> Group:
        """Union of two groups, with its bounding box."""
        return Group(
            (*self.members, *other.members),
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )


Line: TypeAlias = list[Group]


def connected(mask: Array) -> Parts:
    """Connected components of a mask (h, w), 8-connected: corners count."""
    h, w = mask.shape
    row, start, end = runs(mask)
    above, below = touching(row, start, end, w)
    roots = united(len(row), above, below)
    firsts, of_run = np.unique(roots, return_inverse=True)
    labels = np.zeros((h, w), np.int32)
    labels[mask] = np.repeat(of_run + 1, end - start)
    boxes = np.empty((len(firsts), 4), np.int64)
    boxes[:] = (h, w, 0, 0)
    for column, (reduce, value) in enumerate(
        ((np.minimum, row), (np.minimum, start), (np.maximum, row + 1), (np.maximum, end))
    ):
        reduce.at(boxes[:, column], of_run, value)
    return Parts(labels, boxes)


def runs(mask: Array) -> tuple[Int[Array, " n"], Int[Array, " n"], Int[Array, " n"]]:
    """Runs of True, row by row: (row, first column, first column after)."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    change = np.diff(padded, axis=1)
    row, start = np.nonzero(change == 1)
    return row, start, np.nonzero(change == -1)[1]


def touching(
    row: Int[Array, " n"], start: Int[Array, " n"], end: Int[Array, " n"], width: int
) -> tuple[Int[Array, " m"], Int[Array, " m"]]:
    """Pairs of runs in neighbouring rows that touch: (numbers above, numbers below)."""
    # Positions along one line, with two spare pixels per row.
    line = width + 2
    first = np.searchsorted(row * line + end, (row + 1) * line + start)
    behind = np.searchsorted(row * line + start, (row + 1) * line + end, side="right")
    many = behind - first
    above = np.repeat(np.arange(len(row)), many)
    below = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
    return above, below + np.repeat(first, many)


def united(count: int, one: Int[Array, " m"], other: Int[Array, " m"]) -> Int[Array, " count"]:
    """Union-find: the smallest number connected with each of 0..count-1, by pairs of neighbours."""
    root = np.arange(count)
    while True:
        low = np.minimum(root[one], root[other])
        high = np.maximum(root[one], root[other])
        if (low == high).all():
            return root
        np.minimum.at(root, high, low)
        while (root != root[root]).any():
            root = root[root]


def strokes(parts: Parts, shape: tuple[int, int], least: int) -> list[Group]:
    """Parts that may be pen strokes, each as its own group, in the order of their numbers.

    Leaves out specks, with less than `least` pixels along their longer side, lines from side to
    side, and strips along an edge of the picture, unless nothing else is there.
    """
    top, left, bottom, right = parts.boxes.T
    height, width = bottom - top, right - left
    longer = np.maximum(height, width)
    h, w = shape
    near_h, near_w = max(1, int(EDGE_STRIP * h)), max(1, int(EDGE_STRIP * w))
    strip = (2 * height > h) & ((right <= near_w) | (left >= w - near_w))
    strip |= (2 * width > w) & ((bottom <= near_h) | (top >= h - near_h))
    strip |= (width >= LINE * height) & (2 * width > w)
    kept = longer >= least
    if (kept & ~strip).any():
        kept &= ~strip
    if kept.any():
        kept &= longer >= SPECK * longer[kept].max()
    return [
        Group((int(number) + 1,), *map(int, parts.boxes[number])) for number in np.flatnonzero(kept)
    ]


def left_out(parts: Parts, used: list[Group], least: int) -> int:
    """Number of parts that are no specks and in none of the digits."""
    top, left, bottom, right = parts.boxes.T
    longer = np.maximum(bottom - top, right - left)
    members = np.array([member - 1 for digit in used for member in digit.members])
    big = longer >= max(least, SPECK * longer[members].max())
    big[members] = False
    return int(big.sum())


def grouped(pieces: list[Group]) -> list[Group]:
    """Digits made of strokes: broken ones joined, dots and dashes left out."""
    digits: list[Group] = []
    for piece in sorted(pieces, key=lambda piece: -piece.height):
        near = [number for number, digit in enumerate(digits) if belongs(piece, digit)]
        if near:
            nearest = min(near, key=lambda number: distance(piece, digits[number]))
            digits[nearest] = digits[nearest].with_(piece)
        else:
            digits.append(piece)
    if not digits:
        return []
    tallest = max(digit.height for digit in digits)
    heights = sorted(digit.height for digit in digits if digit.height >= SMALL * tallest)
    usual = heights[len(heights) // 2]
    return [
        digit
        for digit in digits
        if digit.height >= SHORT * usual and digit.width < 3 * digit.height
    ]


def belongs(piece: Group, digit: Group) -> bool:
    """True if a piece, not taller than the digit so far, is another stroke of it."""
    H = digit.height
    apart_down = max(piece.top, digit.top) - min(piece.bottom, digit.bottom)
    apart_across = max(piece.left, digit.left) - min(piece.right, digit.right)
    together = digit.with_(piece)
    small = piece.height < 0.5 * H
    if -apart_across >= (0.35 if small else 0.6) * min(piece.width, digit.width):
        # One above the other: a piece of the same digit, unless there is a line between them.
        return apart_down <= 0.25 * H and together.height <= 1.5 * H
    if apart_down > 0.1 * H or together.height > 1.3 * H or together.width > 1.2 * H:
        return False
    if piece.height >= 0.7 * H:
        return False
    dash_or_dot = piece.height < 0.25 * H and piece.top > digit.top + 0.3 * H
    return apart_across <= (0.0 if dash_or_dot else 0.1 * H)


def distance(piece: Group, digit: Group) -> tuple[int, int]:
    """Sort key: squared distance of two boxes in pixels, then the digit's left edge."""
    down = max(0, max(piece.top, digit.top) - min(piece.bottom, digit.bottom))
    across = max(0, max(piece.left, digit.left) - min(piece.right, digit.right))
    return down * down + across * across, digit.left


def in_reading_order(digits: list[Group]) -> list[Line]:
    """Lines from top to bottom, each from left to right; lines may slope a little.

    From left to right, each digit joins the line whose last digit it overlaps vertically by at
    least half of the shorter one's height.
    """
    lines: list[Line] = []
    for digit in sorted(digits, key=lambda digit: (digit.left, digit.top)):
        best, most = None, 0.5
        for line in lines:
            last = line[-1]
            beside = min(digit.bottom, last.bottom) - max(digit.top, last.top)
            share = beside / min(digit.height, last.height)
            if share >= most:
                best, most = line, share
        if best is None:
            lines.append([digit])
        else:
            best.append(digit)
    return sorted(lines, key=lambda line: sum(d.top + d.bottom for d in line) / len(line))
