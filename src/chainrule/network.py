"""The network: dense layers forward, and the chain rule backward, as docs/derivation.md has them.

Forward, layer by layer:      Z = A_prev W + b        A = g(Z)                        (2.1, 2.2)
Backward, in reverse:         dZ = dA * g'(Z)         dW = A_prev' dZ
                              db = sum of dZ's rows   dA_prev = dZ W'                 (2.3 - 2.6)

One example is one row. Every W and b is a view into one flat vector, `network.parameters`; the
gradient has the same layout. A network holds parameters only: whatever forward and backward
write goes into a Workspace, so threads can share a network, and predicting changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from chainrule.activations import ACTIVATIONS
from chainrule.arrays import Array, Float, Int, aligned_size, aligned_zeros
from chainrule.initializers import INITIALIZERS
from chainrule.losses import Buffers
from chainrule.products import product

PREDICT_ROWS = 1024
"""Rows that predicting sends through the network at a time."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of `fan_out` units, each with `fan_in` weights and a bias."""

    fan_in: int
    fan_out: int
    activation: str = "identity"

    def __post_init__(self) -> None:
        if self.fan_in < 1 or self.fan_out < 1:
            raise ValueError(f"{self}: a layer has at least one input and one unit")
        ACTIVATIONS[self.activation]

    def __str__(self) -> str:
        return f"{self.fan_in} -> {self.fan_out} {self.activation}"


class Network:
    """Dense layers in a row, their parameters in one flat vector."""

    def __init__(
        self, layers: Sequence[Dense], dtype: Any = np.float32, *, link: str = "softmax"
    ) -> None:
        """All parameters start at zero; `Network.dense` draws them.

        `link` names the activation that turns the outputs into probabilities: the losses take
        logits, so the last layer usually stops short of it.
        """
        if not layers:
            raise ValueError("a network has at least one layer")
        for number, (before, after) in enumerate(pairwise(layers), 2):
            if before.fan_out != after.fan_in:
                raise ValueError(
                    f"layer {number} takes {after.fan_in} inputs, but layer {number - 1} has "
                    f"{before.fan_out} units: the two must agree"
                )
        ACTIVATIONS[link]
        self.layers = tuple(layers)
        self.dtype = np.dtype(dtype)
        self.link = link
        weights = sum(aligned_size(layer.fan_in * layer.fan_out, dtype) for layer in layers)
        biases = sum(aligned_size(layer.fan_out, dtype) for layer in layers)
        self.parameters = aligned_zeros(weights + biases, dtype)
        self.weights_end = weights
        """parameters[:weights_end] are the weights, the biases lie behind them."""
        self.W, self.b = self.views(self.parameters)

    @classmethod
    def dense(
        cls,
        widths: Sequence[int],
        activation: str | Sequence[str] = "relu",
        *,
        rng: np.random.Generator,
        initializer: str | None = None,
        output: str = "identity",
        link: str = "softmax",
        dtype: Any = np.float32,
    ) -> Network:
        """A network of the given widths, inputs first, classes last, with random weights.

        `activation` is one name for all hidden layers or one for each; `output` is the last
        layer's. `initializer` is one name for all layers; by default each hidden activation's
        own. Raises ValueError for an unknown name or a list that does not fit.
        """
        hidden = len(widths) - 2
        if hidden < 0:
            raise ValueError(f"widths {list(widths)}: give at least the inputs and the classes")
        names = [activation] * hidden if isinstance(activation, str) else list(activation)
        if len(names) != hidden:
            raise ValueError(
                f"{len(names)} activations for {hidden} hidden layers: "
                "give one for all, or one for each"
            )
        pairs = zip(widths[:-1], widths[1:], [*names, output], strict=True)
        network = cls([Dense(i, o, name) for i, o, name in pairs], dtype, link=link)
        for layer, W in zip(network.layers, network.W, strict=True):
            name = initializer or ACTIVATIONS[layer.activation].initializer
            W[...] = INITIALIZERS[name](rng, layer.fan_in, layer.fan_out)
        return network

    def views(
        self, flat: Float[Array, " P"]
    ) -> tuple[list[Float[Array, "fan_in fan_out"]], list[Float[Array, " fan_out"]]]:
        """(W of each layer, b of each layer) as views into a vector laid out as `parameters`."""
        W, b, start = [], [], 0
        for layer in self.layers:
            size = layer.fan_in * layer.fan_out
            W.append(flat[start : start + size].reshape(layer.fan_in, layer.fan_out))
            start += aligned_size(size, self.dtype)
        for layer in self.layers:
            b.append(flat[start : start + layer.fan_out])
            start += aligned_size(layer.fan_out, self.dtype)
        return W, b

    @property
    def widths(self) -> list[int]:
        """Inputs, units of each layer; the last are the classes."""
        return [self.layers[0].fan_in, *(layer.fan_out for layer in self.layers)]

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned; `parameters` is a little longer, for alignment."""
        return sum(layer.fan_in * layer.fan_out + layer.fan_out for layer in self.layers)

    def copy(self, dtype: Any = None) -> Network:
        """The same network in memory of its own, in another precision if asked for."""
        twin = Network(self.layers, dtype or self.dtype, link=self.link)
        for mine, other in zip(self.W + self.b, twin.W + twin.b, strict=True):
            other[...] = mine
        return twin

    def forward(self, X: Float[Array, "N n"], workspace: Workspace) -> Float[Array, "N K"]:
        """The outputs of the last layer, (N, K), written into the workspace.

        Raises ValueError if X has other than `fan_in` columns or not the workspace's rows.
        """
        if X.shape != (workspace.examples, self.layers[0].fan_in):
            raise ValueError(
                f"X has shape {X.shape}: layer 1 takes {self.layers[0].fan_in} inputs, "
                f"and the workspace was made for {workspace.examples} examples"
            )
        workspace.X = A = X
        for layer, W, b, Z, out in zip(
            self.layers, self.W, self.b, workspace.Z, workspace.A, strict=True
        ):
            product(A, W, out=Z)  # (N, fan_in) @ (fan_in, fan_out)
            np.add(Z, b, out=Z)
            A = ACTIVATIONS[layer.activation].forward(Z, out)
        return A

    def backward(self, dlogits: Float[Array, "N K"], workspace: Workspace) -> Float[Array, " P"]:
        """The gradient of the loss by all parameters, one flat vector inside the workspace.

        `dlogits` is the loss's gradient by the outputs of the last `forward` with this workspace.
        """
        w = workspace
        dA = dlogits
        for i in reversed(range(len(self.layers))):
            activation = ACTIVATIONS[self.layers[i].activation]
            dZ = activation.backward(dA, w.Z[i], w.A[i], w.dZ[i], w.scratch[i])
            A_prev = w.A[i - 1] if i else w.X
            product(A_prev.T, dZ, out=w.dW[i])  # (fan_in, N) @ (N, fan_out)
            np.matmul(w.ones, dZ, out=w.db[i])  # the sum of its rows
            if i:
                dA = product(dZ, self.W[i].T, out=w.dA[i - 1])  # (N, fan_out) @ (fan_out, fan_in)
        return w.gradient

    def predict_proba(self, X: Float[Array, "N n"]) -> Float[Array, "N K"]:
        """The probability of each class for each row of X, (N, K)."""
        X = np.asarray(X, self.dtype)
        probabilities = np.empty((len(X), self.layers[-1].fan_out), self.dtype)
        workspaces = Workspaces(self)
        for start in range(0, len(X), PREDICT_ROWS):
            rows = slice(start, start + PREDICT_ROWS)
            outputs = self.forward(X[rows], workspaces[len(X[rows])])
            ACTIVATIONS[self.link].forward(outputs, probabilities[rows])
        return probabilities

    def predict(self, X: Float[Array, "N n"]) -> Int[Array, " N"]:
        """The most probable class of each row of X, (N,)."""
        predicted: Array = self.predict_proba(X).argmax(axis=1)
        return predicted


class Workspace:
    """All the memory that a step writes into, for one network and one number of examples."""

    def __init__(self, network: Network, examples: int) -> None:
        dtype, layers = network.dtype, network.layers
        self.examples = examples
        self.X = np.zeros((0, 0), dtype)
        self.ones = np.ones(examples, dtype)
        self.A = [np.zeros((examples, layer.fan_out), dtype) for layer in layers]
        self.Z = [
            A if ACTIVATIONS[layer.activation].in_place else np.zeros_like(A)
            for layer, A in zip(layers, self.A, strict=True)
        ]
        # Only one layer's dA and dZ are alive at a time: all layers share the same three blocks.
        self.dA, self.dZ, self.scratch = (_shared(examples, network) for _ in range(3))
        self.gradient = aligned_zeros(network.parameters.size, dtype)
        self.dW, self.db = network.views(self.gradient)
        self.loss = Buffers(examples, layers[-1].fan_out, dtype)


def _shared(examples: int, network: Network) -> list[Float[Array, "N n"]]:
    """One block of memory, seen in the shape of each layer's activations."""
    block = aligned_zeros(examples * max(network.widths[1:]), network.dtype)
    return [block[: examples * n].reshape(examples, n) for n in network.widths[1:]]


class Workspaces(dict[int, Workspace]):
    """A network's workspaces by number of examples, each made when first asked for."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def __missing__(self, examples: int) -> Workspace:
        self[examples] = Workspace(self.network, examples)
        return self[examples]
