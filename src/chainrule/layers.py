"""A dense layer, layers in a row, and where each has its numbers in one flat vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any, TypeAlias

import numpy as np

from chainrule.activations import ACTIVATIONS
from chainrule.arrays import Array, Float, aligned_size

Views: TypeAlias = list[Float[Array, "..."]]


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of `fan_out` units, each with `fan_in` weights and a bias."""

    fan_in: int
    fan_out: int
    activation: str = "identity"
    batch_norm: bool = False
    """Each unit's sums are normalised over the batch: Z = gamma (A_prev W - mean) / sigma + b."""
    dropout: float = 0.0
    """The share of its inputs that each training step leaves out."""
    noise: float = 0.0
    """The standard deviation of the noise that each training step adds to its inputs."""

    def __post_init__(self) -> None:
        if self.fan_in < 1 or self.fan_out < 1:
            raise ValueError(f"{self}: a layer has at least one input and one unit")
        if not (0 <= self.dropout < 1 and 0 <= self.noise < inf):
            raise ValueError(
                f"{self}: dropout {self.dropout} is a share from 0 to below 1, noise {self.noise} "
                "a standard deviation from 0 up"
            )
        ACTIVATIONS[self.activation]

    def __str__(self) -> str:
        return f"{self.fan_in} -> {self.fan_out} {self.activation}"

    @property
    def disturbed(self) -> bool:
        """Whether a training step changes its inputs at random."""
        return bool(self.dropout or self.noise)


def stack(
    widths: Sequence[int],
    activation: str | Sequence[str] = "relu",
    *,
    output: str = "identity",
    batch_norm: bool = False,
    dropout: float = 0.0,
    input_dropout: float = 0.0,
    noise: float = 0.0,
    input_noise: float = 0.0,
) -> list[Dense]:
    """Layers of the given widths, see `Network.dense`; ValueError for a list that does not fit."""
    hidden = len(widths) - 2
    if hidden < 0:
        raise ValueError(f"widths {list(widths)}: give at least the inputs and the classes")
    names = [activation] * hidden if isinstance(activation, str) else list(activation)
    if len(names) != hidden:
        raise ValueError(
            f"{len(names)} activations for {hidden} hidden layers: "
            "give one for all, or one for each"
        )
    return [
        Dense(
            fan_in,
            fan_out,
            name,
            batch_norm=batch_norm and number < hidden,
            dropout=dropout if number else input_dropout,
            noise=noise if number else input_noise,
        )
        for number, ((fan_in, fan_out), name) in enumerate(
            zip(pairwise(widths), [*names, output], strict=True)
        )
    ]


class Layout:
    """Where each layer's parameters and statistics lie: two flat vectors, and views into them.

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
        return sum(aligned_size(int(np.prod(shape)), self.dtype) for shape in shapes)

    def _views(self, flat: Array, shapes: Sequence[tuple[int, ...]]) -> Views:
        views, start = [], 0
        for shape in shapes:
            size = int(np.prod(shape))
            views.append(flat[start : start + size].reshape(shape))
            start += aligned_size(size, self.dtype)
        return views
