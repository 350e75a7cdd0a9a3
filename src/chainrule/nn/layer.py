"""Layer interface, and the memory that all layers of a chain share.

A network is a chain of layers, each with forward above backward:

    for layer, memory in workspace.chain:            A = layer.forward(A, memory, rng)
    for layer, memory in reversed(workspace.chain):  dA = layer.backward(dA, memory)

A layer holds what it has learned, as views into the network's flat vectors, and nothing else.
Whatever forward and backward write goes into `memory`, which the layer itself lays out for one
number of examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from chainrule.core.arrays import Array, Float, Views, aligned_zeros


class Layer(Protocol):
    """One link of the chain."""

    def memory(self, shared: SharedMemory) -> Any:
        """What this layer writes into, made once for each number of examples."""
        ...

    def forward(
        self, A: Float[Array, "N n"], memory: Any, rng: np.random.Generator | None
    ) -> Float[Array, "N m"]:
        """Outputs for inputs A; with a generator as in training, without one as in evaluation."""
        ...

    def backward(self, dA: Float[Array, "N m"], memory: Any) -> Float[Array, "N n"]:
        """Gradient by the inputs from the gradient by the outputs of the last forward pass."""
        ...


@dataclass(frozen=True)
class SharedMemory:
    """What the memories of all layers are cut from, for one number of examples."""

    examples: int
    widest: int
    """Units of the widest layer."""
    dtype: np.dtype[Any]
    dW: Views
    db: Views
    dgamma: Views
    """Of each linear layer, views into the gradient."""
    mean: Views
    variance: Views
    """Of each linear layer, views into the batch's statistics."""

    @cached_property
    def ones(self) -> Float[Array, " N"]:
        """A vector of ones: its product with a matrix is the sum of the rows."""
        return np.ones(self.examples, self.dtype)

    def matrix(self, units: int) -> Float[Array, "N n"]:
        """A matrix of one layer's own, (N, units)."""
        return np.zeros((self.examples, units), self.dtype)

    def dA(self, units: int) -> Float[Array, "N n"]:
        """The block for a gradient by outputs, (N, units)."""
        return self._part(self._blocks[0], units)

    def dZ(self, units: int) -> Float[Array, "N n"]:
        """The block for a gradient by sums, (N, units)."""
        return self._part(self._blocks[1], units)

    def scratch(self, units: int) -> Float[Array, "N n"]:
        """The block for what is needed within one call only, (N, units)."""
        return self._part(self._blocks[2], units)

    @cached_property
    def _blocks(self) -> list[Float[Array, " _"]]:
        """Only one layer's dA, dZ and scratch are alive at a time: all have the same three."""
        return [aligned_zeros(self.examples * self.widest, self.dtype) for _ in range(3)]

    def _part(self, block: Float[Array, " _"], units: int) -> Float[Array, "N n"]:
        return block[: self.examples * units].reshape(self.examples, units)
