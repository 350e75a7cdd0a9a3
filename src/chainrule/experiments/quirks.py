"""Quirks of the articles, mistakes included, as small named pieces that a recipe plugs in.

Only the recipes use them: the network, the losses and the optimizers know nothing of them. The
articles draw their weights from NumPy's frozen legacy generator, one example per column, so
(fan_out, fan_in); the functions here transpose the draw to our (fan_in, fan_out).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.tables import Table
from chainrule.core.threads import SERIAL, ThreadTeam
from chainrule.nn.losses import LossFunction
from chainrule.nn.network import Network
from chainrule.nn.targets import one_hot
from chainrule.optim.optimizers import Optimizer
from chainrule.optim.schedules import Schedule

Draw: TypeAlias = Callable[[np.random.RandomState, int, int], tuple[Array, Array]]
"""(random, fan_in, fan_out) -> (W (fan_in, fan_out), b (fan_out,))"""


def standard_normal(
    random: np.random.RandomState, fan_in: int, fan_out: int
) -> tuple[Array, Array]:
    """Article 1: N(0, 1), regardless of the layer's size; b = 0."""
    return random.normal(0, 1, (fan_out, fan_in)).T, np.zeros(fan_out)


def tenth_normal(random: np.random.RandomState, fan_in: int, fan_out: int) -> tuple[Array, Array]:
    """Articles 2 and 3: 0.1 N(0, 1); b = 0."""
    return (random.randn(fan_out, fan_in) * 0.1).T, np.zeros(fan_out)


def half_uniform(random: np.random.RandomState, fan_in: int, fan_out: int) -> tuple[Array, Array]:
    """Article 4: weights and biases uniform in -0.5..0.5."""
    W = random.rand(fan_out, fan_in).T - 0.5
    return W, random.rand(fan_out) - 0.5


def he_normal(random: np.random.RandomState, fan_in: int, fan_out: int) -> tuple[Array, Array]:
    """Article 5: N(0, 2 / fan_in); b = 0."""
    return (random.randn(fan_out, fan_in) * np.sqrt(2 / fan_in)).T, np.zeros(fan_out)


DRAWS: Table[Draw] = Table(
    "drawing of the weights",
    {
        "standard-normal": standard_normal,
        "tenth-normal": tenth_normal,
        "half-uniform": half_uniform,
        "he-normal": he_normal,
    },
)


def draw(network: Network, name: str, *, seed: int) -> None:
    """Draws the network's weights as an article does after `np.random.seed(seed)`."""
    random = np.random.RandomState(seed)
    for layer, W, b in zip(network.layers, network.W, network.b, strict=True):
        W[...], b[...] = DRAWS[name](random, layer.fan_in, layer.fan_out)


class ScalarBiasGradient:
    """Article 4's optimizer: each bias of a layer gets the sum of the whole layer's gradient.

    It writes db = sum(dZ) / m without an axis, a scalar. For the output layer that sum is zero,
    up to rounding: softmax minus one-hot sums to zero in each example. Output biases never learn.
    """

    def __init__(self, optimizer: Optimizer, network: Network) -> None:
        self.optimizer = optimizer
        self.network = network

    @property
    def state(self) -> dict[str, Array]:
        """State of the wrapped optimizer."""
        return self.optimizer.state

    @state.setter
    def state(self, state: dict[str, Array]) -> None:
        self.optimizer.state = state

    @property
    def steps(self) -> int:
        """Steps of the wrapped optimizer."""
        return self.optimizer.steps

    @steps.setter
    def steps(self, steps: int) -> None:
        self.optimizer.steps = steps

    def step(
        self, parameters: Array, gradient: Array, learning_rate: float, team: ThreadTeam = SERIAL
    ) -> None:
        """Replaces the bias gradients by their sum, then steps."""
        for db in self.network.layout.parameters(gradient)[1]:
            db[...] = db.sum()
        self.optimizer.step(parameters, gradient, learning_rate, team)


def global_maximum_softmax(
    logits: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: object = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Article 2: softmax of z - max(whole batch), cost -mean(Y log(A + 1e-8)).

    The mean is over all N K entries, the gradient (A - Y) / N: that of K times this cost. One large
    logit in the batch makes the exponentials of all other examples 0, and A 0 / 0.
    """
    del buffers, label_smoothing
    E = np.exp(logits - np.max(logits))
    A = E / E.sum(axis=1, keepdims=True)
    at_label = A[np.arange(len(labels)), labels]
    cost = -float(np.log(at_label + 1e-8).sum()) / A.size
    A[np.arange(len(labels)), labels] -= 1
    return cost, A / len(labels)


def unshifted_softmax(
    logits: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: object = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Articles 4 and 5: softmax of unshifted z, cost -sum(Y log A) / N; overflows from z = 710."""
    del buffers, label_smoothing
    E = np.exp(logits)
    A = E / E.sum(axis=1, keepdims=True)
    cost = -float(np.log(A[np.arange(len(labels)), labels]).sum()) / len(labels)
    A[np.arange(len(labels)), labels] -= 1
    return cost, A / len(labels)


def cross_entropy_of_probabilities(
    probabilities: Float[Array, "N K"], labels: Int[Array, " N"]
) -> float:
    """Article 3's cross-entropy of probabilities, -sum(Y log p) / N; nan where any p is 0."""
    Y = one_hot(labels, probabilities.shape[1])
    # Summed one example per column, as in the article: the last digit depends on the order.
    return float(-1 / len(labels) * np.sum(Y.T * np.log(probabilities.T)))


QUIRK_LOSSES: Table[LossFunction] = Table(
    "quirk of the loss",
    {
        "global-maximum-softmax": global_maximum_softmax,
        "unshifted-softmax": unshifted_softmax,
    },
)


class TenthAfter75(Schedule):
    """Article 2's schedule: the given rate until step 75, then 0.1 regardless of it."""

    def __call__(self, step: int) -> float:
        """The learning rate of step 0, 1, 2, ..."""
        return 0.1 if step > 75 else self.rate


QUIRK_SCHEDULES: Table[Callable[[float, int], Schedule]] = Table(
    "quirk of the schedule", {"tenth-after-75": TenthAfter75}
)
