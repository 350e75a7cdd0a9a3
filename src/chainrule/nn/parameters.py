"""Parameter layout: the position of each layer's numbers in the network's flat vectors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float, Views, aligned_size
from chainrule.nn.dense import Dense


class Layout:
    """Layout of all layers' parameters and statistics: two flat vectors, and views into them.

    All weights come first, then all biases, then the gammas of batch normalisation; each view
    starts on a 64-byte boundary.
    """

    def __init__(self, layers: Sequence[Dense], dtype: Any) -> None:
        """Raises ValueError unless each layer takes as many inputs as the one before has units."""
        if not layers:
            raise ValueError("a network has at least one layer")
        for number, (before, after) in enumerate(pairwise(layers), 2):
            if before.fan_out != after.fan_in:
                raise ValueError(
                    f"layer {number} takes {after.fan_in} inputs, but layer {number - 1} has "
                    f"{before.fan_out} units: the two must agree"
                )
        self.dtype = np.dtype(dtype)
        self._weights = [(layer.fan_in, layer.fan_out) for layer in layers]
        self._biases = [(layer.fan_out,) for layer in layers]
        self._normalized = [(layer.fan_out * layer.batch_norm,) for layer in layers]
        self.weights_end = self._size(self._weights)
        """The weights are parameters[:weights_end]."""
        self.learned = self.weights_end + self._size(self._biases) + self._size(self._normalized)
        self.measured = 2 * self._size(self._normalized)

    def parameters(self, flat: Float[Array, " P"]) -> tuple[Views, Views, Views]:
        """(W (fan_in, fan_out), b (fan_out,), gamma of each layer) as views into `flat`.

        The gamma of a layer without batch normalisation is empty.
        """
        gammas = self.weights_end + self._size(self._biases)
        return (
            self._views(flat, self._weights),
            self._views(flat[self.weights_end :], self._biases),
            self._views(flat[gammas:], self._normalized),
        )

    def statistics(self, flat: Float[Array, " S"]) -> tuple[Views, Views]:
        """(mean, variance of each layer) as views into `flat`; empty without batch norm."""
        half = len(flat) // 2
        return self._views(flat, self._normalized), self._views(flat[half:], self._normalized)

    def _size(self, shapes: Sequence[tuple[int, ...]]) -> int:
        return sum(aligned_size(prod(shape), self.dtype) for shape in shapes)

    def _views(self, flat: Array, shapes: Sequence[tuple[int, ...]]) -> Views:
        views, start = [], 0
        for shape in shapes:
            size = int(np.prod(shape))
            views.append(flat[start : start + size].reshape(shape))
            start += aligned_size(size, self.dtype)
        return views
