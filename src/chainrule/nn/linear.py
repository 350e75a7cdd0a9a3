"""Linear layer: weighted sums forward, the chain rule through them backward.

Forward, one example per row:   Z = A W + b                                      (2.1)
Backward, from dZ:              dW = A' dZ       db = sum of dZ's rows           (2.4, 2.5)
                                dA = dZ W'                                       (2.6)

Derived in docs/derivation.md, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.core.arrays import CSR, Array, Float, Inputs
from chainrule.core.copies import Bound
from chainrule.nn.layer import SharedMemory
from chainrule.nn.matmul import matmul, sparse_matmul


@dataclass
class LinearMemory:
    """Inputs of the last forward pass, outputs, and gradients."""

    A: Float[Array, "_ fan_in"] | CSR
    """In the first layer perhaps sparse: dW = A' dZ is then a sparse product, too."""
    Z: Float[Array, "N fan_out"]
    ones: Float[Array, " N"]
    dW: Float[Array, "fan_in fan_out"]
    db: Float[Array, " fan_out"]
    dA: Float[Array, "_ fan_in"]
    """Without rows in the first layer: no gradient w.r.t. the images is needed."""


class Linear(Bound):
    """Linear layer: Z = A W + b, with W (fan_in, fan_out) and b (fan_out,)."""

    def __init__(
        self, number: int, W: Float[Array, "fan_in fan_out"], b: Float[Array, " fan_out"] | None
    ) -> None:
        """`number` counts from 0; b is None where batch normalisation follows and adds it."""
        self.number = number
        self.W = W
        self.b = b
        self.matmul: Callable[..., Array] = matmul if number else sparse_matmul

    def memory(self, shared: SharedMemory) -> LinearMemory:
        """Buffers for `shared.examples` rows."""
        (fan_in, fan_out), i = self.W.shape, self.number
        return LinearMemory(
            A=np.zeros((0, fan_in), shared.dtype),
            Z=shared.matrix(fan_out),
            ones=shared.ones,
            dW=shared.dW[i],
            db=shared.db[i],
            dA=shared.dA(fan_in) if i else np.zeros((0, fan_in), shared.dtype),
        )

    def forward(
        self,
        A: Inputs,
        memory: LinearMemory,
        rng: np.random.Generator | None,
    ) -> Float[Array, "N fan_out"]:
        """Z = A W + b (2.1)."""
        memory.A = A
        Z = self.matmul(A, self.W, out=memory.Z)  # (N, fan_in) @ (fan_in, fan_out)
        if self.b is not None:
            np.add(Z, self.b, out=Z)
        return Z

    def backward(
        self, dZ: Float[Array, "N fan_out"], memory: LinearMemory
    ) -> Float[Array, "_ fan_in"]:
        """dA = dZ W' (2.6), empty in the first layer; writes dW (2.4) and db (2.5)."""
        self.matmul(memory.A.T, dZ, out=memory.dW)  # (fan_in, N) @ (N, fan_out)
        if self.b is not None:
            np.matmul(memory.ones, dZ, out=memory.db)  # (N,) @ (N, fan_out): the sum of its rows
        if not self.number:
            return memory.dA
        return matmul(dZ, self.W.T, out=memory.dA)  # (N, fan_out) @ (fan_out, fan_in)
