"""The examples in the order and the portions in which training sees them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from chainrule.arrays import Array, Float, Int


class Batches:
    """Portions of `batch_size` examples, the last one maybe smaller; memory is reused.

    Called with a generator, one epoch in an order drawn from it; with None, in the order of the
    file, as views of the data. A batch is valid until the next one is asked for.
    """

    def __init__(
        self, images: Float[Array, "N n"], labels: Int[Array, " N"], *, batch_size: int
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch size {batch_size}: a batch holds at least one example")
        self.images = images
        self.labels = labels
        self.batch_size = min(batch_size, len(images))
        self._X = np.empty((0, 0), images.dtype)
        self._y = np.empty(0, labels.dtype)

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return -(-len(self.images) // self.batch_size)

    def epoch(
        self, rng: np.random.Generator | None
    ) -> Iterator[tuple[Float[Array, "B n"], Int[Array, " B"]]]:
        """The examples of one epoch, batch by batch."""
        if rng is None:
            return self._in_file_order()
        return self._in_order(rng.permutation(len(self.images)))

    def _in_file_order(self) -> Iterator[tuple[Array, Array]]:
        for start in range(0, len(self.images), self.batch_size):
            part = slice(start, start + self.batch_size)
            yield self.images[part], self.labels[part]

    def _in_order(self, order: Array) -> Iterator[tuple[Array, Array]]:
        if not self._X.size:
            self._X = np.empty((self.batch_size, *self.images.shape[1:]), self.images.dtype)
            self._y = np.empty(self.batch_size, self.labels.dtype)
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            # mode="clip" because mode="raise" copies `out`; a permutation has no index outside.
            X = np.take(self.images, rows, axis=0, out=self._X[: len(rows)], mode="clip")
            y = np.take(self.labels, rows, out=self._y[: len(rows)], mode="clip")
            yield X, y
