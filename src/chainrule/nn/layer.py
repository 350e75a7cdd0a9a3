"""Layer interface, and the memory shared by the layers of a network.

A network is a chain of layers, each with forward above backward:

    for layer, memory in workspace.chain:            A = layer.forward(A, memory, rng)
    for layer, memory in reversed(workspace.chain):  dA = layer.backward(dA, memory)

A layer holds its learned parameters, as views into the network's flat vectors, and nothing else.
Forward and backward write only into `memory`, which the layer lays out for a given number of
examples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from chainrule.core.arrays import Array, Float, Views, aligned_zeros


class Layer(Protocol):
    """Interface of a layer."""

    def memory(self, shared: SharedMemory) -> Any:
        """Buffers this layer writes into, made once per number of examples."""
        ...

    def forward(
        self, A: Float[Array, "N n"], memory: Any, rng: np.random.Generator | None
    ) -> Float[Array, "N m"]:
        """Outputs for inputs A; training mode with a generator, evaluation mode without."""
        ...

    def backward(self, dA: Float[Array, "N m"], memory: Any) -> Float[Array, "N n"]:
        """Gradient w.r.t. the inputs from that w.r.t. the outputs of the last forward pass."""
        ...


@dataclass(frozen=True)
class SharedMemory:
    """Buffers that all layers' memories are cut from, for one number of examples."""

    examples: int
    widest: int
    """Units of the widest layer."""
    dtype: np.dtype[Any]
    dW: Views
    db: Views
    dgamma: Views
    """One per linear layer: views into the gradient."""
    mean: Views
    variance: Views
    """One per linear layer: views into the batch statistics."""

    @cached_property
    def ones(self) -> Float[Array, " N"]:
        """Vector of ones, (N,): its product with a matrix is the sum of the rows."""
        return np.ones(self.examples, self.dtype)

    def matrix(self, units: int) -> Float[Array, "N n"]:
        """A new matrix, not shared between layers, (N, units)."""
        return np.zeros((self.examples, units), self.dtype)

    def dA(self, units: int) -> Float[Array, "N n"]:
        """The block for a gradient w.r.t. outputs, (N, units)."""
        return self._part(self._blocks[0], units)

    def dZ(self, units: int) -> Float[Array, "N n"]:
        """The block for a gradient w.r.t. sums, (N, units)."""
        return self._part(self._blocks[1], units)

    def scratch(self, units: int) -> Float[Array, "N n"]:
        """The block for temporaries within one call, (N, units)."""
        return self._part(self._blocks[2], units)

    @cached_property
    def _blocks(self) -> list[Float[Array, " _"]]:
        """Three blocks for all layers: only one layer's dA, dZ and scratch are live at a time."""
        return [aligned_zeros(self.examples * self.widest, self.dtype) for _ in range(3)]

    def _part(self, block: Float[Array, " _"], units: int) -> Float[Array, "N n"]:
        return block[: self.examples * units].reshape(self.examples, units)
