"""Neural network: a chain of layers forward, the chain rule backward along it.

    for layer, memory in workspace.chain:            A = layer.forward(A, memory, rng)
    for layer, memory in reversed(workspace.chain):  dA = layer.backward(dA, memory)

A dense layer is up to five links of the chain: dropout and noise on its inputs, the linear layer,
batch normalisation, the activation; each has its own file, forward above backward. One example is
one row. Every W and b is a view into one flat vector, `network.parameters`; the gradient has the
same layout. A network holds only what it has learned: forward and backward write into a Workspace,
so threads can share a network, and predicting does not change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float, Inputs, Int, aligned_zeros, as_inputs
from chainrule.core.copies import Rebuilt
from chainrule.core.rng import as_generator
from chainrule.nn.activations import ACTIVATIONS, LINKS, Activation
from chainrule.nn.batch_norm import BatchNorm, scale_and_shift
from chainrule.nn.dense import Dense, stack
from chainrule.nn.dropout import Dropout, Noise
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.layer import Layer, SharedMemory
from chainrule.nn.linear import Linear
from chainrule.nn.loss_buffers import Buffers
from chainrule.nn.parameters import Layout
from chainrule.nn.summary import Summary

PREDICT_ROWS = 1024
"""Rows per forward pass in `predict_values`."""


class Network(Rebuilt):
    """Dense neural network, its parameters in one flat vector.

    `copy.copy`, `copy.deepcopy` and `pickle` do what `copy()` does: the twin has the same numbers
    in memory of its own, and learns like any other network.
    """

    derived = ("parameters", "statistics", "W", "b", "gamma", "mean", "variance", "chain")

    def __init__(
        self, layers: Sequence[Dense], dtype: Any = np.float32, *, link: str = "softmax"
    ) -> None:
        """All parameters start at zero; `Network.dense` draws them.

        `link` names the function that turns the outputs into predictions, a row of LINKS: the
        losses take logits, so the last layer usually leaves it out. `LOSSES[loss].link` fits.
        """
        LINKS[link]
        self.layers = tuple(layers)
        self.dtype = np.dtype(dtype)
        self.link = link
        self.layout = Layout(self.layers, self.dtype)
        self.state = aligned_zeros(self.layout.learned + self.layout.measured, dtype)
        """All of the network's numbers: `parameters`, learned, then `statistics`, measured."""
        self._derive()
        for vector in self.gamma + self.variance:
            vector.fill(1)

    def _derive(self) -> None:
        """Makes the views into `state`, and the layers that hold them."""
        self.parameters = self.state[: self.layout.learned]
        self.statistics = self.state[self.layout.learned :]
        self.W, self.b, self.gamma = self.layout.parameters(self.parameters)
        self.mean, self.variance = self.layout.statistics(self.statistics)
        self.chain = tuple(self._chain())
        """The layers in the order of the forward pass."""

    def _chain(self) -> Iterator[Layer]:
        for i, dense in enumerate(self.layers):
            if dense.dropout:
                yield Dropout(dense.fan_in, dense.dropout)
            if dense.noise:
                yield Noise(dense.fan_in, dense.noise)
            yield Linear(i, self.W[i], None if dense.batch_norm else self.b[i])
            if dense.batch_norm:
                yield BatchNorm(i, self.gamma[i], self.b[i], self.mean[i], self.variance[i])
            yield Activation(dense.fan_out, ACTIVATIONS[dense.activation])

    @classmethod
    def dense(
        cls,
        widths: Sequence[int],
        activation: str | Sequence[str] = "relu",
        *,
        rng: np.random.Generator | int,
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
        layer's. `initializer` is one name for all layers; by default that of each activation.
        `batch_norm` normalises the hidden layers; `dropout` and `noise` apply to their outputs,
        `input_dropout` and `input_noise` to the inputs of the first layer.
        Raises ValueError for an unknown name or a list that does not fit.
        """
        rng = as_generator(rng)
        layers = stack(
            widths, activation, output=output, batch_norm=batch_norm, dropout=dropout,
            input_dropout=input_dropout, noise=noise, input_noise=input_noise,
        )  # fmt: skip
        network = cls(layers, dtype, link=link)
        for layer, W in zip(network.layers, network.W, strict=True):
            name = initializer or ACTIVATIONS[layer.activation].initializer
            W[...] = INITIALIZERS[name](rng, layer.fan_in, layer.fan_out)
        return network

    def __repr__(self) -> str:
        return f"<Network {self._summary().one_line()}>"

    def __str__(self) -> str:
        return self._summary().as_text()

    def _repr_html_(self) -> str:
        return self._summary().as_html()

    def _summary(self) -> Summary:
        return Summary(self.layers, self.link, self.dtype)

    @property
    def widths(self) -> list[int]:
        """Number of inputs, then of units in each layer; the last is that of the classes."""
        return [self.layers[0].fan_in, *(layer.fan_out for layer in self.layers)]

    @property
    def parameter_count(self) -> int:
        """Number of learned parameters; `parameters` is slightly longer, for alignment."""
        return sum(view.size for view in self.W + self.b + self.gamma)

    @property
    def has_training_mode(self) -> bool:
        """True if the training forward pass differs from prediction's and needs a generator."""
        return any(layer.batch_norm or layer.stochastic for layer in self.layers)

    def copy(self, dtype: Any = None) -> Network:
        """A copy of the network, optionally in another precision."""
        twin = Network(self.layers, dtype or self.dtype, link=self.link)
        for mine, other in zip(self._all_views(), twin._all_views(), strict=True):
            other[...] = mine
        return twin

    def _all_views(self) -> list[Array]:
        return [*self.W, *self.b, *self.gamma, *self.mean, *self.variance]

    def folded(self) -> Network:
        """A copy with batch normalisation folded into W and b: the same predictions (10.13).

        Normalising by fixed statistics is one more factor and one more summand for each unit.
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
        X: Inputs,
        workspace: Workspace,
        rng: np.random.Generator | None = None,
    ) -> Float[Array, "N K"]:
        """The outputs of the last layer, (N, K), written into the workspace.

        X has one example a row, and may be sparse: SciPy's csr_array, of the network's dtype.
        With a generator: training mode, with dropout, noise and batch statistics.
        Raises ValueError unless X has `fan_in` columns and as many rows as the workspace, and the
        workspace is this network's.
        """
        if X.shape != (workspace.examples, self.layers[0].fan_in):
            raise ValueError(
                f"X has shape {X.shape}: layer 1 takes {self.layers[0].fan_in} inputs, "
                f"and the workspace was made for {workspace.examples} examples"
            )
        if workspace.network is not self:
            raise ValueError(
                "the workspace was made for another network, whose weights it would use: "
                "a copy of a network needs a workspace of its own"
            )
        A: Any = X
        for layer, memory in workspace.chain:
            A = layer.forward(A, memory, rng)
        outputs: Array = A
        return outputs

    def backward(self, dlogits: Float[Array, "N K"], workspace: Workspace) -> Float[Array, " P"]:
        """The gradient of the loss w.r.t. all parameters, one flat vector in the workspace.

        `dlogits` is the gradient w.r.t. the outputs of the last `forward` with this workspace.
        Raises ValueError after a forward pass without a generator if a layer is normalised.
        """
        dA = dlogits
        for layer, memory in reversed(workspace.chain):
            dA = layer.backward(dA, memory)
        return workspace.gradient

    def predict_values(self, X: Inputs) -> Float[Array, "N K"]:
        """Predicted values for each row of X, (N, K): the link of the outputs."""
        X = as_inputs(X, self.dtype)
        values = np.empty((X.shape[0], self.layers[-1].fan_out), self.dtype)
        workspaces, link = Workspaces(self), LINKS[self.link]
        for start in range(0, len(values), PREDICT_ROWS):
            rows = slice(start, start + PREDICT_ROWS)
            outputs = self.forward(X[rows], workspaces[len(values[rows])])
            link.forward(outputs, values[rows])
        return values

    def predict_proba(self, X: Inputs) -> Float[Array, "N K"]:
        """Class probabilities of each row of X, (N, K)."""
        return self.predict_values(X)

    def predict(self, X: Inputs) -> Int[Array, " N"]:
        """The most probable class of each row of X, (N,)."""
        predicted: Array = self.predict_proba(X).argmax(axis=1)
        return predicted


class Workspace:
    """Buffers that a step writes into, for one network and one number of examples.

    A copy or a pickle of it is a new workspace, of the same network or of its copy: what the last
    pass left in the buffers is not taken along.
    """

    def __init__(self, network: Network, examples: int) -> None:
        layout, dtype = network.layout, network.dtype
        self.network = network
        self.examples = examples
        self.gradient = aligned_zeros(layout.learned, dtype)
        self.dW, self.db, self.dgamma = layout.parameters(self.gradient)
        self.statistics = aligned_zeros(layout.measured, dtype)
        """Of the last batch: the mean and variance of each normalised unit's sums."""
        shared = SharedMemory(
            examples, max(network.widths[1:]), dtype, self.dW, self.db, self.dgamma,
            *layout.statistics(self.statistics),
        )  # fmt: skip
        self.loss = Buffers(examples, network.layers[-1].fan_out, dtype)
        self.chain: list[tuple[Layer, Any]] = [
            (layer, layer.memory(shared)) for layer in network.chain
        ]
        """Each layer with its memory, in the order of the forward pass."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.network, self.examples)

    @property
    def inputs(self) -> list[Inputs]:
        """Inputs of each dense layer: X or the previous activations, after dropout and noise."""
        return [memory.A for layer, memory in self.chain if isinstance(layer, Linear)]

    @property
    def Z(self) -> list[Float[Array, "_ n"]]:
        """Weighted sums of each dense layer; A where the activation works in place."""
        return [memory.Z for layer, memory in self.chain if isinstance(layer, Activation)]

    @property
    def A(self) -> list[Float[Array, "_ n"]]:
        """Activations of each dense layer, from the last forward pass."""
        return [memory.A for layer, memory in self.chain if isinstance(layer, Activation)]

    @property
    def dA(self) -> list[Float[Array, "_ n"]]:
        """Gradient w.r.t. the inputs of each dense layer but the first, all in one block."""
        linear = (memory for layer, memory in self.chain if isinstance(layer, Linear))
        return [memory.dA for memory in linear][1:]


class Workspaces(dict[int, Workspace]):
    """A network's workspaces by number of examples, each made on first use."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.network,)

    def __missing__(self, examples: int) -> Workspace:
        self[examples] = Workspace(self.network, examples)
        return self[examples]
