"""What an estimator has learned: its network, and where training stands, to go on from there.

The network starts with the random weights of scikit-learn's MLP, drawn in its order: uniform up to
sqrt(6 / (inputs + units)), biases too; up to sqrt(2 / (inputs + units)) before a sigmoid (Glorot
and Bengio 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.arrays import Float, Target
from chainrule.nn.dense import stack
from chainrule.nn.losses import LossFunction, Strength
from chainrule.nn.losses_of_values import squared_error
from chainrule.nn.network import Network
from chainrule.optim.optimizers import Optimizer
from chainrule.optim.schedules import Schedule

SEEDS = np.iinfo(np.int32).max


@dataclass
class Learned:
    """What was learned, and all that the next epoch depends on."""

    network: Network
    loss: str | LossFunction
    seed: int
    """The order of the examples and dropout follow from it, the epoch and the step."""
    scaler: Any = None
    """scikit-learn's StandardScaler, if the inputs are standardised."""
    epoch: int = 0
    step: int = 0
    optimizer: Optimizer | None = None
    made_with: tuple[Any, ...] = ()
    """The parameters that the optimizer was made with."""
    schedule: Schedule | None = None

    @property
    def loss_outputs(self) -> int:
        """The number of outputs over which the loss is a sum where scikit-learn's is a mean."""
        return 1 if isinstance(self.loss, str) else self.network.widths[-1]


@dataclass(frozen=True)
class Answer:
    """The kind of answer a network gives: its loss, its link, and scikit-learn's name of that."""

    loss: str | LossFunction
    link: str
    out_activation: str


def squared_error_of_outputs(
    outputs: Float[np.ndarray, "N K"], values: Target, buffers: Any = None, **more: Any
) -> tuple[float, Float[np.ndarray, "N K"]]:
    """Half squared error, sum over the outputs: along its gradient MLPRegressor steps."""
    loss, doutputs = squared_error(outputs, values, buffers, **more)
    count = outputs.shape[1]
    return loss * count, np.multiply(doutputs, count, out=doutputs)


CLASS = Answer("softmax-cross-entropy", "softmax", "softmax")
YES_OR_NO = Answer("sigmoid-cross-entropy", "sigmoid", "logistic")
VALUE = Answer("squared-error", "identity", "identity")
VALUES = Answer(squared_error_of_outputs, "identity", "identity")
COUNT = Answer("poisson", "exp", "exp")


def new_network(
    widths: Sequence[int],
    activations: Sequence[str],
    dtype: Any,
    *,
    link: str,
    random: np.random.RandomState,
    batch_norm: bool,
    dropout: float,
) -> Network:
    """A network with MLP's random weights; `random` draws them."""
    layers = stack(widths, activations, batch_norm=batch_norm, dropout=dropout)
    network = Network(layers, dtype, link=link)
    # scikit-learn draws the last layer by the activation of the hidden ones.
    names = [*activations, *activations[-1:]] or ["identity"]
    for name, W, b in zip(names, network.W, network.b, strict=True):
        limit = np.sqrt((2.0 if name == "sigmoid" else 6.0) / sum(W.shape))
        W[...] = random.uniform(-limit, limit, W.shape)
        b[...] = random.uniform(-limit, limit, b.shape)
    return network


def penalty(alpha: int | float) -> Strength:
    """MLP's L2 penalty: alpha over the sum of a batch's weights; 0 if there is none."""

    def strength(weight: int | float) -> float:
        return alpha / weight

    return strength if alpha else 0.0
