"""Fast inference with a trained network: batch normalisation folded, sigmoids as tanh.

A sigmoid is (1 + tanh(z / 2)) / 2. The two halvings and the 1 are folded into the weights around
it, once, so that a layer is a product, a sum and a tanh:

    sigmoid(A W + b) V + c = tanh(A (W / 2) + b / 2) (V / 2) + (c + the sum of V's rows / 2)
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Inputs, as_inputs
from chainrule.core.errors import ModelFileError
from chainrule.nn.activations import ACTIVATIONS, LINKS, ActivationFunction
from chainrule.nn.network import Network

ROWS = 1024
"""Rows per forward pass: their activations stay in the cache."""

Layer: TypeAlias = tuple[Array, Array, ActivationFunction]
"""(W (fan_in, fan_out), b (1, fan_out), activation)"""


class Predictor:
    """Predictor of class probabilities: `Predictor(network)(X)` is a faster `predict_proba(X)`.

    It copies the weights, so later training does not affect it. Calling it is thread-safe.
    """

    def __init__(self, network: Network) -> None:
        self.inputs = network.widths[0]
        self.classes = network.widths[-1]
        self.dtype = network.dtype
        self._layers = halved(network.folded())
        self._link = LINKS[network.link]

    def __call__(self, X: Inputs) -> Float[Array, "N K"]:
        """Class probabilities of each row of X, (N, K).

        Raises ValueError if X has other than `inputs` columns.
        """
        X = as_inputs(X, self.dtype)
        if len(X.shape) != 2 or X.shape[1] != self.inputs:
            raise ValueError(
                f"X has shape {X.shape}: the network takes {self.inputs} inputs, "
                f"so give (N, {self.inputs}), one example a row"
            )
        if X.shape[0] == 1:
            return self._rows(X)
        probabilities = np.empty((X.shape[0], self.classes), self.dtype)
        for start in range(0, len(probabilities), ROWS):
            rows = slice(start, start + ROWS)
            probabilities[rows] = self._rows(X[rows])
        return probabilities

    def _rows(self, A: Any) -> Array:
        single = isinstance(A, np.ndarray) and len(A) == 1
        for W, b, activation in self._layers:
            # A vector times a matrix is faster than a one-row matrix times a matrix.
            Z = A[0].dot(W)[None] if single else A.dot(W)
            np.add(Z, b, Z)
            A = activation.forward(Z, Z if activation.in_place else np.empty_like(Z))
        A = np.asarray(A)
        return self._link.forward(A, A if self._link.in_place else np.empty_like(A))


def check_answers(
    probabilities: Float[Array, "N K"], *, name: str = "the network", noun: str = "images"
) -> None:
    """Raises ModelFileError unless the answers are finite: a weight may be so and yet too large."""
    broken = int(np.count_nonzero(~np.isfinite(probabilities).all(axis=1)))
    if broken:
        raise ModelFileError(
            f"{name}: its answers to {broken:,} of {len(probabilities):,} {noun} are not "
            "finite numbers; its weights are too large, train it again with a lower learning rate"
        )


def halved(network: Network) -> list[Layer]:
    """The network's layers with each sigmoid between two layers turned into a tanh."""
    layers: list[Layer] = []
    halve = False
    last = len(network.layers) - 1
    for number, layer in enumerate(network.layers):
        W, b = network.W[number].copy(), network.b[number][None].copy()
        if halve:
            b += W.sum(axis=0) / 2
            W /= 2
        halve = layer.activation == "sigmoid" and number < last
        if halve:
            W /= 2
            b /= 2
        layers.append((W, b, ACTIVATIONS["tanh" if halve else layer.activation]))
    return layers
