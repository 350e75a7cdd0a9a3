"""Activation functions, each next to its derivative, and the activation layer.

Forward is A = g(Z), element by element (softmax: row by row). Backward is the chain rule,
dZ = dA * g'(Z), derived in docs/derivation.md, section 3. One call convention for all:

    forward(Z, out)                     writes A into out; out may be Z where the row is in_place
    backward(dA, Z, A, out, scratch)    dZ, written into out (or dA itself, where dZ = dA);
                                        overwrites scratch and nothing else

In the in_place rows forward may overwrite its input and g' needs only A: the network then stores
no Z.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.tables import Table
from chainrule.nn.layer import SharedMemory

Matrix: TypeAlias = Float[Array, "N n"]

LEAK = 0.01
"""The slope of leaky ReLU below zero (Maas et al. 2013; PyTorch's default)."""

GELU_SCALE = float(np.sqrt(2 / np.pi))
GELU_CUBIC = 0.044715


def identity(Z: Matrix, out: Matrix) -> Matrix:
    """A = Z, for an output layer whose loss takes logits."""
    if out is not Z:
        np.copyto(out, Z)
    return out


def identity_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA."""
    return dA


def sigmoid(Z: Matrix, out: Matrix) -> Matrix:
    """A = 1 / (1 + exp(-Z)), computed as (1 + tanh(Z / 2)) / 2, which cannot overflow."""
    np.multiply(Z, 0.5, out=out)
    np.tanh(out, out=out)
    np.add(out, 1, out=out)
    return np.multiply(out, 0.5, out=out)


def sigmoid_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA * A (1 - A)."""
    np.subtract(1, A, out=scratch)
    np.multiply(scratch, A, out=scratch)
    return np.multiply(dA, scratch, out=out)


def tanh(Z: Matrix, out: Matrix) -> Matrix:
    """A = tanh(Z)."""
    return np.tanh(Z, out=out)


def tanh_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA * (1 - A^2)."""
    np.multiply(A, A, out=scratch)
    np.subtract(1, scratch, out=scratch)
    return np.multiply(dA, scratch, out=out)


def relu(Z: Matrix, out: Matrix) -> Matrix:
    """A = max(Z, 0)."""
    return np.maximum(Z, 0, out=out)


def relu_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA where A > 0, else 0; the derivative at the kink Z = 0 is taken as 0."""
    np.greater(A, 0, out=scratch)
    return np.multiply(dA, scratch, out=out)


def leaky_relu(Z: Matrix, out: Matrix) -> Matrix:
    """A = Z where Z > 0, else 0.01 Z: the larger of the two."""
    np.multiply(Z, LEAK, out=out)
    return np.maximum(Z, out, out=out)


def leaky_relu_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA where A > 0, else 0.01 dA."""
    np.greater(A, 0, out=scratch)
    np.multiply(scratch, 1 - LEAK, out=scratch)
    np.add(scratch, LEAK, out=scratch)
    return np.multiply(dA, scratch, out=out)


def elu(Z: Matrix, out: Matrix) -> Matrix:
    """A = Z where Z > 0, else exp(Z) - 1 (Clevert et al. 2016, alpha = 1)."""
    np.minimum(Z, 0, out=out)
    np.expm1(out, out=out)
    return np.maximum(Z, out, out=out)


def elu_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA where A > 0, else dA (A + 1), since exp(Z) = A + 1 there."""
    np.minimum(A, 0, out=scratch)
    np.add(scratch, 1, out=scratch)
    return np.multiply(dA, scratch, out=out)


def silu(Z: Matrix, out: Matrix) -> Matrix:
    """A = Z sigmoid(Z) (Elfwing et al. 2018; also known as swish)."""
    sigmoid(Z, out)
    return np.multiply(Z, out, out=out)


def silu_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA (S + A (1 - S)) with S = sigmoid(Z)."""
    sigmoid(Z, out)
    return _gated_backward(dA, A, out, scratch)


def gelu(Z: Matrix, out: Matrix) -> Matrix:
    """A = Z S, S = (1 + tanh(sqrt(2/pi) (Z + 0.044715 Z^3))) / 2.

    The tanh form of Hendrycks and Gimpel 2016, equation 2 (PyTorch: approximate="tanh").
    """
    _gelu_gate(Z, out)
    return np.multiply(Z, out, out=out)


def gelu_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA (S + A (1 - S) u'(Z)), u'(Z) = 2 sqrt(2/pi) (1 + 3 * 0.044715 Z^2)."""
    _gelu_gate(Z, out)
    np.multiply(Z, Z, out=scratch)
    np.multiply(scratch, 6 * GELU_CUBIC * GELU_SCALE, out=scratch)
    np.add(scratch, 2 * GELU_SCALE, out=scratch)
    np.multiply(scratch, A, out=scratch)
    return _gated_backward(dA, scratch, out, scratch)


def _gelu_gate(Z: Matrix, out: Matrix) -> None:
    np.multiply(Z, Z, out=out)
    np.multiply(out, GELU_CUBIC, out=out)
    np.add(out, 1, out=out)
    np.multiply(out, Z, out=out)
    np.multiply(out, 2 * GELU_SCALE, out=out)
    sigmoid(out, out)


def _gated_backward(dA: Matrix, B: Matrix, S: Matrix, scratch: Matrix) -> Matrix:
    """dZ = dA (S + B (1 - S)) = dA (1 - (1 - B)(1 - S)), written over S; B may be scratch."""
    np.subtract(1, B, out=scratch)
    np.subtract(1, S, out=S)
    np.multiply(scratch, S, out=S)
    np.subtract(1, S, out=S)
    return np.multiply(dA, S, out=S)


def softmax(Z: Matrix, out: Matrix) -> Matrix:
    """A = exp(Z) / sum(exp(Z)) along each row, shifted by the row's maximum."""
    if len(Z) == 1:
        return _softmax_row(Z, out)
    np.subtract(Z, np.maximum.reduce(Z, axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    return np.divide(out, np.add.reduce(out, axis=1, keepdims=True), out=out)


def _softmax_row(Z: Matrix, out: Matrix) -> Matrix:
    """Softmax of a single row: Python takes 1 us for max and sum of ten numbers, NumPy 5."""
    np.subtract(Z, max(Z[0].tolist()), out=out)
    np.exp(out, out=out)
    return np.divide(out, float(sum(out[0].tolist())), out=out)


def softmax_backward(dA: Matrix, Z: Matrix, A: Matrix, out: Matrix, scratch: Matrix) -> Matrix:
    """dZ = A (dA - sum(dA A)): the full Jacobian of each row, not only its diagonal."""
    np.multiply(dA, A, out=scratch)
    np.subtract(dA, scratch.sum(axis=1, keepdims=True), out=out)
    return np.multiply(A, out, out=out)


@dataclass(frozen=True)
class ActivationFunction:
    """Row of the activation table: a function, its derivative, and its properties."""

    forward: Callable[[Matrix, Matrix], Matrix]
    backward: Callable[[Matrix, Matrix, Matrix, Matrix, Matrix], Matrix]
    in_place: bool
    """A may overwrite Z."""
    initializer: str
    """The default initializer for it."""
    kinked: bool = False
    """The slope, or (elu) the curvature, jumps at Z = 0: finite differences fail across it."""


ACTIVATIONS: Table[ActivationFunction] = Table(
    "activation",
    {
        "identity": ActivationFunction(identity, identity_backward, True, "glorot"),
        "sigmoid": ActivationFunction(sigmoid, sigmoid_backward, True, "glorot"),
        "tanh": ActivationFunction(tanh, tanh_backward, True, "glorot"),
        "relu": ActivationFunction(relu, relu_backward, True, "he", kinked=True),
        "leaky-relu": ActivationFunction(leaky_relu, leaky_relu_backward, False, "he", kinked=True),
        "elu": ActivationFunction(elu, elu_backward, False, "he", kinked=True),
        "gelu": ActivationFunction(gelu, gelu_backward, False, "he"),
        "silu": ActivationFunction(silu, silu_backward, False, "he"),
        "softmax": ActivationFunction(softmax, softmax_backward, True, "glorot"),
    },
)


def exponential(Z: Matrix, out: Matrix) -> Matrix:
    """exp(Z): the mean of a Poisson distribution whose logarithm is Z."""
    return np.exp(Z, out=out)


class Link(NamedTuple):
    """Row of the link table: what turns a network's outputs into its predictions."""

    forward: Callable[[Matrix, Matrix], Matrix]
    in_place: bool
    """The predictions may overwrite the outputs."""


LINKS: Table[Link] = Table(
    "link",
    {name: Link(row.forward, row.in_place) for name, row in ACTIVATIONS.items()}
    | {"exp": Link(exponential, True)},
)


@dataclass
class ActivationMemory:
    """Inputs and outputs of the last forward pass, and the gradient w.r.t. the inputs."""

    Z: Float[Array, "_ _n"]
    A: Float[Array, "_ _n"]
    dZ: Matrix
    scratch: Matrix


class Activation:
    """Activation layer: A = g(Z), with g a row of the table."""

    def __init__(self, units: int, function: ActivationFunction) -> None:
        self.units = units
        self.function = function

    def memory(self, shared: SharedMemory) -> ActivationMemory:
        """Buffers for `shared.examples` rows."""
        units = self.units
        A = shared.matrix(0 if self.function.in_place else units)
        return ActivationMemory(A[:0], A, shared.dZ(units), shared.scratch(units))

    def forward(
        self, Z: Matrix, memory: ActivationMemory, rng: np.random.Generator | None
    ) -> Matrix:
        """A = g(Z) (2.2), written over Z where backward needs only A."""
        memory.Z = Z
        memory.A = self.function.forward(Z, Z if self.function.in_place else memory.A)
        return memory.A

    def backward(self, dA: Matrix, memory: ActivationMemory) -> Matrix:
        """dZ = dA * g'(Z) (2.3)."""
        m = memory
        return self.function.backward(dA, m.Z, m.A, m.dZ, m.scratch)
