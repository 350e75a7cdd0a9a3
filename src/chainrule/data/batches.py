"""Batches: the examples in the order and the portions in which training sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Int

Rows: TypeAlias = slice | Int[Array, " _"]
"""Selection of examples: a range of rows in file order, or the row numbers."""


def batch_rows(
    examples: int, batch_size: int, rng: np.random.Generator | None = None
) -> Iterator[Rows]:
    """The rows of one epoch, batch by batch; the last batch may be smaller.

    With a generator the order is random, with None it is that of the file. Raises ValueError for a
    batch size below 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch size {batch_size}: a batch holds at least one example")
    order = None if rng is None else rng.permutation(examples)
    return parts_of(slice(0, examples) if order is None else order, batch_size)


def parts_of(rows: Rows, size: int) -> Iterator[Rows]:
    """The rows in portions of at most `size`, in order."""
    for start in range(0, count(rows), size):
        if isinstance(rows, slice):
            yield slice(rows.start + start, min(rows.start + start + size, rows.stop))
        else:
            yield rows[start : start + size]


def spread(examples: int, most: int) -> Int[Array, " _"]:
    """At most so many row numbers, evenly spaced: in a sorted set, of all classes."""
    return np.linspace(0, examples - 1, min(most, examples)).round().astype(np.intp)


def draw_rows(examples: int, most: int) -> Int[Array, " _"]:
    """At most so many row numbers, in order, drawn at random, always the same ones."""
    if examples <= most:
        return np.arange(examples)
    rng = np.random.Generator(np.random.PCG64(0))
    rows: Array = np.sort(rng.choice(examples, most, replace=False))
    return rows


def count(rows: Rows) -> int:
    """Number of examples selected by the rows."""
    return rows.stop - rows.start if isinstance(rows, slice) else len(rows)


class Gather:
    """Gathers the examples of given rows, always into the same buffers.

    The result is valid until the next call. Rows in file order are views of the data, at no cost.
    """

    def __init__(self, images: Float[Array, "N n"], labels: Int[Array, " N"]) -> None:
        self.images = images
        self.labels = labels
        self._X = np.empty((0, *images.shape[1:]), images.dtype)
        self._y = np.empty(0, labels.dtype)

    def __call__(self, rows: Rows) -> tuple[Float[Array, "B n"], Int[Array, " B"]]:
        """(images, labels) of the rows."""
        if isinstance(rows, slice):
            return self.images[rows], self.labels[rows]
        if len(self._y) < len(rows):
            self._X = np.empty((len(rows), *self.images.shape[1:]), self.images.dtype)
            self._y = np.empty(len(rows), self.labels.dtype)
        # mode="clip" because mode="raise" copies `out`; a permutation has no index outside.
        X = np.take(self.images, rows, axis=0, out=self._X[: len(rows)], mode="clip")
        y = np.take(self.labels, rows, out=self._y[: len(rows)], mode="clip")
        return X, y
