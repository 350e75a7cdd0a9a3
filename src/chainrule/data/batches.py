"""Batches: the examples in the order and the portions in which training sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from chainrule.core.arrays import CSR, Array, Float, Inputs, Int, Target, is_sparse

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


Batch: TypeAlias = tuple[Any, Target, Float[Array, " N"] | None]
"""Batch, or a part of one: inputs (N, n), dense or sparse; their target; their weights, if any."""

Pair: TypeAlias = tuple[Float[Array, "_ n"], Int[Array, " _"]]
"""(images, labels)"""

_Inputs: TypeAlias = Float[Array, "_ n"] | CSR
"""As `Inputs`, but of any number of rows: training and validation have different ones."""
ExampleArrays: TypeAlias = tuple[_Inputs, Array] | tuple[_Inputs, Array, Float[Array, " _"]]
"""Examples: (inputs, target) or (inputs, target, weights). Inputs are (N, n), and may be sparse by
rows; the target is labels (N,), or values (N, K)."""


class Picker:
    """Picks rows of an array, always into the same buffer.

    The result is valid until the next call. Rows in file order are views of the array, at no cost;
    rows of a sparse matrix are a new one.
    """

    def __init__(self, array: Any) -> None:
        self.array = array
        self._sparse = is_sparse(array)
        self._picked = np.empty((0, *array.shape[1:]), array.dtype)

    def __call__(self, rows: Rows) -> Any:
        """The rows, in their order."""
        if isinstance(rows, slice) or self._sparse:
            return self.array[rows]
        if len(self._picked) < len(rows):
            self._picked = np.empty((len(rows), *self.array.shape[1:]), self.array.dtype)
        # mode="clip" because mode="raise" copies `out`; a permutation has no index outside.
        return np.take(self.array, rows, axis=0, out=self._picked[: len(rows)], mode="clip")


class Gather:
    """Gathers the examples of given rows, always into the same buffers, see Picker."""

    def __init__(self, inputs: Inputs, target: Array, weights: Array | None = None) -> None:
        self._X, self._y = Picker(inputs), Picker(target)
        self._weights = None if weights is None else Picker(weights)

    def __call__(self, rows: Rows) -> Batch:
        """The examples of the rows."""
        weights = None if self._weights is None else self._weights(rows)
        return self._X(rows), self._y(rows), weights
