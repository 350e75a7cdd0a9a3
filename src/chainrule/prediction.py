"""Predicting with a network that has finished learning, as quickly as NumPy allows.

A sigmoid is (1 + tanh(z / 2)) / 2. The two halvings and the 1 are drawn into the weights around it,
once, so that a layer is a product, a sum and a tanh:

    sigmoid(A W + b) V + c = tanh(A (W / 2) + b / 2) (V / 2) + (c + the sum of V's rows / 2)
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from chainrule.activations import ACTIVATIONS, Activation
from chainrule.arrays import Array, Float
from chainrule.network import Network

ROWS = 1024
"""Rows that go through the network at a time: their activations stay in the cache."""

Layer: TypeAlias = tuple[Array, Array, Activation]
"""(W, b, activation)"""


class Predictor:
    """A network's probabilities: `Predictor(network)(X)` is `network.predict_proba(X)`, sooner.

    It keeps weights of its own: what the network learns later is not seen. Calling it writes
    nothing that a second thread could see.
    """

    def __init__(self, network: Network) -> None:
        self.inputs = network.widths[0]
        self.classes = network.widths[-1]
        self.dtype = network.dtype
        self._layers = folded(network)
        self._link = ACTIVATIONS[network.link]

    def __call__(self, X: Float[Array, "N n"]) -> Float[Array, "N K"]:
        """The probability of each class for each row of X, (N, K).

        Raises ValueError if X has other than `inputs` columns.
        """
        X = np.asarray(X, self.dtype)
        if X.ndim != 2 or X.shape[1] != self.inputs:
            raise ValueError(
                f"X has shape {X.shape}: the network takes {self.inputs} inputs, "
                f"so give (N, {self.inputs}), one example a row"
            )
        if len(X) == 1:
            return self._probabilities(self._through(X[0])[None])
        probabilities = np.empty((len(X), self.classes), self.dtype)
        for start in range(0, len(X), ROWS):
            rows = slice(start, start + ROWS)
            probabilities[rows] = self._probabilities(self._through(X[rows]))
        return probabilities

    def _through(self, A: Array) -> Array:
        """The last layer's outputs for rows of inputs; or for one vector, 1 us a layer sooner."""
        for W, b, activation in self._layers:
            Z = A.dot(W)
            np.add(Z, b, Z)
            A = activation.forward(Z, Z if activation.in_place else np.empty_like(Z))
        return A

    def _probabilities(self, outputs: Array) -> Array:
        link = self._link
        return link.forward(outputs, outputs if link.in_place else np.empty_like(outputs))


def folded(network: Network) -> list[Layer]:
    """The network's layers with each sigmoid between two layers turned into a tanh."""
    layers: list[Layer] = []
    halve = False
    last = len(network.layers) - 1
    for number, layer in enumerate(network.layers):
        W, b = network.W[number].copy(), network.b[number].copy()
        if halve:
            b += W.sum(axis=0) / 2
            W /= 2
        halve = layer.activation == "sigmoid" and number < last
        if halve:
            W /= 2
            b /= 2
        layers.append((W, b, ACTIVATIONS["tanh" if halve else layer.activation]))
    return layers
