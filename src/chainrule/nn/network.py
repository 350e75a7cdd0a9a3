"""The network: dense layers forward, and the chain rule backward, as docs/derivation.md has them.

Forward, layer by layer:      Z = A_prev W + b        A = g(Z)                        (2.1, 2.2)
Backward, in reverse:         dZ = dA * g'(Z)         dW = A_prev' dZ
                              db = sum of dZ's rows   dA_prev = dZ W'                 (2.3 - 2.6)

One example is one row. Every W and b is a view into one flat vector, `network.parameters`; the
gradient has the same layout. A network holds what it has learned only: whatever forward and
backward write goes into a Workspace, so threads can share it, and predicting changes nothing.

Training may differ from predicting: given a generator, `forward` disturbs a layer's inputs
(`disturbances`) and normalises its sums by this batch's own statistics (`normalization`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float, Int, aligned_zeros
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.batch_norm import normalize, normalize_backward, scale_and_shift
from chainrule.nn.dense import Dense, stack
from chainrule.nn.dropout import disturb
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.losses import Buffers
from chainrule.nn.matmul import product
from chainrule.nn.parameters import Layout

PREDICT_ROWS = 1024
"""Rows that predicting sends through the network at a time."""


class Network:
    """Dense layers in a row, their parameters in one flat vector."""

    def __init__(
        self, layers: Sequence[Dense], dtype: Any = np.float32, *, link: str = "softmax"
    ) -> None:
        """All parameters start at zero; `Network.dense` draws them.

        `link` names the activation that turns the outputs into probabilities: the losses take
        logits, so the last layer usually stops short of it.
        """
        ACTIVATIONS[link]
        self.layers = tuple(layers)
        self.dtype = np.dtype(dtype)
        self.link = link
        self.layout = Layout(self.layers, self.dtype)
        self.state = aligned_zeros(self.layout.learned + self.layout.measured, dtype)
        """Everything the network is: `parameters`, learned, then `statistics`, measured."""
        self.parameters = self.state[: self.layout.learned]
        self.statistics = self.state[self.layout.learned :]
        self.W, self.b, self.gamma = self.layout.parameters(self.parameters)
        self.mean, self.variance = self.layout.statistics(self.statistics)
        for vector in self.gamma + self.variance:
            vector.fill(1)

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
        batch_norm: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        noise: float = 0.0,
        input_noise: float = 0.0,
        dtype: Any = np.float32,
    ) -> Network:
        """A network of the given widths, inputs first, classes last, with random weights.

        `activation` is one name for all hidden layers or one for each; `output` is the last
        layer's. `initializer` is one name for all layers; by default each hidden activation's
        own. `batch_norm` normalises the hidden layers; `dropout` and `noise` disturb what they
        pass on, `input_dropout` and `input_noise` what the first layer is given.
        Raises ValueError for an unknown name or a list that does not fit.
        """
        layers = stack(
            widths, activation, output=output, batch_norm=batch_norm, dropout=dropout,
            input_dropout=input_dropout, noise=noise, input_noise=input_noise,
        )  # fmt: skip
        network = cls(layers, dtype, link=link)
        for layer, W in zip(network.layers, network.W, strict=True):
            name = initializer or ACTIVATIONS[layer.activation].initializer
            W[...] = INITIALIZERS[name](rng, layer.fan_in, layer.fan_out)
        return network

    @property
    def widths(self) -> list[int]:
        """Inputs, units of each layer; the last are the classes."""
        return [self.layers[0].fan_in, *(layer.fan_out for layer in self.layers)]

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned; `parameters` is a little longer, for alignment."""
        return sum(view.size for view in self.W + self.b + self.gamma)

    @property
    def trains_otherwise(self) -> bool:
        """Whether training's forward pass differs from predicting's, and needs a generator."""
        return any(layer.batch_norm or layer.disturbed for layer in self.layers)

    def copy(self, dtype: Any = None) -> Network:
        """The same network in memory of its own, in another precision if asked for."""
        twin = Network(self.layers, dtype or self.dtype, link=self.link)
        for mine, other in zip(self._all_views(), twin._all_views(), strict=True):
            other[...] = mine
        return twin

    def _all_views(self) -> list[Array]:
        return [*self.W, *self.b, *self.gamma, *self.mean, *self.variance]

    def folded(self) -> Network:
        """The same predictions from plain dense layers, in memory of its own (10.13).

        Normalising by fixed statistics is one more factor and one more summand of each unit: they
        are drawn into W and b.
        """
        plain = [Dense(layer.fan_in, layer.fan_out, layer.activation) for layer in self.layers]
        twin = Network(plain, self.dtype, link=self.link)
        for i, layer in enumerate(self.layers):
            twin.W[i][...], twin.b[i][...] = self.W[i], self.b[i]
            if layer.batch_norm:
                scale, shift = scale_and_shift(
                    self.gamma[i], self.b[i], self.mean[i], self.variance[i]
                )
                twin.W[i] *= scale
                twin.b[i][...] = shift
        return twin

    def forward(
        self,
        X: Float[Array, "N n"],
        workspace: Workspace,
        rng: np.random.Generator | None = None,
    ) -> Float[Array, "N K"]:
        """The outputs of the last layer, (N, K), written into the workspace.

        With a generator: as in training, with dropout, noise and this batch's own statistics.
        Raises ValueError if X has other than `fan_in` columns or not the workspace's rows.
        """
        if X.shape != (workspace.examples, self.layers[0].fan_in):
            raise ValueError(
                f"X has shape {X.shape}: layer 1 takes {self.layers[0].fan_in} inputs, "
                f"and the workspace was made for {workspace.examples} examples"
            )
        w, A = workspace, X
        w.training = rng is not None
        for i, layer in enumerate(self.layers):
            if rng and layer.disturbed:
                A = disturb(A, w.mask[i], w.noise[i], layer.dropout, layer.noise, rng, w.given[i])
            w.inputs[i], Z = A, w.Z[i]
            if layer.batch_norm:
                self._normalized_sums(i, w)
            else:
                product(A, self.W[i], out=Z)  # (N, fan_in) @ (fan_in, fan_out)
                np.add(Z, self.b[i], out=Z)
            A = ACTIVATIONS[layer.activation].forward(Z, w.A[i])
        return A

    def _normalized_sums(self, i: int, w: Workspace) -> None:
        """Z = gamma (A_prev W - mean) / sigma + b: of this batch in training, else of all."""
        Z, U = w.Z[i], w.normalized[i]
        product(w.inputs[i], self.W[i], out=U)  # (N, fan_in) @ (fan_in, fan_out)
        if w.training:
            normalize(U, w.mean[i], w.variance[i], w.sigma[i], scratch=Z)
            scale, shift = self.gamma[i], self.b[i]
        else:
            scale, shift = scale_and_shift(self.gamma[i], self.b[i], self.mean[i], self.variance[i])
        np.multiply(U, scale, out=Z)
        np.add(Z, shift, out=Z)

    def backward(self, dlogits: Float[Array, "N K"], workspace: Workspace) -> Float[Array, " P"]:
        """The gradient of the loss by all parameters, one flat vector inside the workspace.

        `dlogits` is the loss's gradient by the outputs of the last `forward` with this workspace.
        Raises ValueError after a forward pass without a generator if a layer is normalised.
        """
        w, dA = workspace, dlogits
        for i, layer in reversed(list(enumerate(self.layers))):
            activation = ACTIVATIONS[layer.activation]
            dZ = activation.backward(dA, w.Z[i], w.A[i], w.dZ[i], w.scratch[i])
            np.matmul(w.ones, dZ, out=w.db[i])  # the sum of its rows
            if layer.batch_norm:
                if not w.training:
                    raise ValueError(
                        f"layer {i + 1} was normalised by statistics of all batches: for a "
                        "gradient, go forward with a generator, or use network.folded()"
                    )
                dZ = normalize_backward(
                    dZ, w.normalized[i], self.gamma[i], w.sigma[i], w.db[i], w.dgamma[i],
                    w.ones, out=w.dZ[i], scratch=w.scratch[i],
                )  # fmt: skip
            product(w.inputs[i].T, dZ, out=w.dW[i])  # (fan_in, N) @ (N, fan_out)
            if i:
                dA = product(dZ, self.W[i].T, out=w.dA[i - 1])  # (N, fan_out) @ (fan_out, fan_in)
                if layer.dropout and w.training:
                    np.multiply(dA, w.mask[i], out=dA)
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
        self.training = False
        """Whether the last forward pass was one of training."""
        self.inputs = [np.zeros((0, 0), dtype) for _ in layers]
        """What each layer was given: X, or the activations before it, maybe disturbed."""
        self.ones = np.ones(examples, dtype)
        self.A = [np.zeros((examples, layer.fan_out), dtype) for layer in layers]
        self.Z = [
            A if ACTIVATIONS[layer.activation].in_place else np.zeros_like(A)
            for layer, A in zip(layers, self.A, strict=True)
        ]
        # Only one layer's dA and dZ are alive at a time: all layers share the same three blocks.
        self.dA, self.dZ, self.scratch = (_shared(examples, network) for _ in range(3))
        self.gradient = aligned_zeros(network.parameters.size, dtype)
        self.dW, self.db, self.dgamma = network.layout.parameters(self.gradient)
        self.loss = Buffers(examples, layers[-1].fan_out, dtype)
        self.mask, self.noise, self.given = (
            [np.zeros((examples, layer.fan_in * bool(needed)), dtype) for layer, needed in each]
            for each in (
                [(layer, layer.dropout) for layer in layers],
                [(layer, layer.noise) for layer in layers],
                [(layer, layer.disturbed) for layer in layers],
            )
        )
        self.statistics = aligned_zeros(network.statistics.size, dtype)
        """Of the last batch: the mean and variance of each normalised unit's sums."""
        self.mean, self.variance = network.layout.statistics(self.statistics)
        self.sigma = [np.zeros_like(mean) for mean in self.mean]
        self.normalized = [np.zeros((examples, mean.size), dtype) for mean in self.mean]


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
