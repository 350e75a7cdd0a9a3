"""Training diagnostics, computed between steps on a few hundred examples.

How right it is, how far a step moves each layer, which units have stopped learning, which mistakes
are the worst. Nothing here writes into the network or draws a random number: a run that is watched
comes to the same bits as one that is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite, sqrt
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Int, UInt8
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.losses import LossFunction
from chainrule.nn.network import Network, Workspaces

Examples: TypeAlias = tuple[Float[Array, "_ n"], Int[Array, " _"]]
"""(images, labels)"""

EXAMPLES = 300
"""Examples of the training and of the validation set that are measured, at most."""

FLAT = 0.05
"""A slope below this share of the activation's steepest lets nothing through that is worth it."""

UNITS = 24
"""Units of the first layer whose weights are shown."""

MISTAKES = 12


@dataclass(frozen=True)
class Measured:
    """How right the network is on some examples."""

    loss: float | None
    """The mean, without penalties, dropout or smoothing; None where it is not finite."""
    accuracy: float
    """0..1"""


@dataclass(frozen=True)
class Condition:
    """How a layer fares; None where there is nothing to say."""

    update_ratio: float | None
    """|dW| / |W| of one step."""
    stuck: float | None
    """The share of its units that are flat for every example: dead, or saturated for good."""
    flat: float | None
    """The share of all its answers, a unit's to an example, where the slope is flat."""


@dataclass(frozen=True)
class Mistake:
    """An example that the network gets wrong."""

    index: int
    """Its place among the examples that are looked at."""
    label: int
    predicted: int
    confidence: float
    """The probability of the predicted class, 0..1."""


@dataclass(frozen=True)
class Observation:
    """What was seen of a network between two steps."""

    training: Measured
    validation: Measured | None
    layers: tuple[Condition, ...]
    mistakes: tuple[Mistake, ...]
    """The worst first; of the validation examples, or without them of the training examples."""


class Probe:
    """Looks at a network now and then: `arm` before a step, `observe` after it."""

    def __init__(
        self,
        network: Network,
        training: Examples,
        validation: Examples | None,
        *,
        loss: LossFunction,
    ) -> None:
        self.network = network
        self.training = sample(training)
        self.validation = validation and sample(validation)
        self.loss = loss
        self.armed = False
        self._before = [np.empty_like(W) for W in network.W]
        self._workspaces = Workspaces(network)

    @property
    def held(self) -> Examples:
        """The examples whose mistakes are told, (images, labels)."""
        return self.validation or self.training

    def arm(self) -> None:
        """Remembers the weights, so that `observe` can tell how far the next step moved them."""
        for copy, W in zip(self._before, self.network.W, strict=True):
            np.copyto(copy, W)
        self.armed = True

    def observe(self) -> Observation:
        """What there is to see now; without `arm` there is no update ratio."""
        ratios: Sequence[float | None] = [None] * len(self.network.W)
        # A network that runs away overflows here: training says so itself, at its next step.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if self.armed:
                ratios = [*map(update_ratio, self._before, self.network.W)]
                self.armed = False
            training, _ = self._measure(*self.training)
            validation = None
            if self.validation:
                validation, _ = self._measure(*self.validation)
            labels = self.held[1]
            workspace = self._workspaces[len(labels)]
            *hidden, outputs = zip(self.network.layers, workspace.Z, workspace.A, strict=True)
            flatness = [*(flat_shares(layer.activation, Z, A) for layer, Z, A in hidden), None]
            probabilities = np.empty_like(outputs[2])
            ACTIVATIONS[self.network.link].forward(outputs[2], probabilities)
        conditions = (
            Condition(ratio, *(shares or (None, None)))
            for ratio, shares in zip(ratios, flatness, strict=True)
        )
        return Observation(training, validation, tuple(conditions), worst(probabilities, labels))

    def _measure(self, images: Array, labels: Array) -> tuple[Measured, Array]:
        workspace = self._workspaces[len(labels)]
        outputs = self.network.forward(images, workspace)
        right = int(np.count_nonzero(outputs.argmax(axis=1) == labels))
        loss, _ = self.loss(outputs, labels, workspace.loss)
        return Measured(loss if isfinite(loss) else None, right / len(labels)), outputs


def sample(examples: Examples, count: int = EXAMPLES) -> Examples:
    """At most `count` of the examples, evenly spaced, in memory of their own."""
    images, labels = examples
    rows = np.linspace(0, len(labels) - 1, min(count, len(labels))).round().astype(np.intp)
    return images[rows], labels[rows]


def update_ratio(
    before: Float[Array, "fan_in fan_out"], after: Float[Array, "fan_in fan_out"]
) -> float | None:
    """|after - before| / |before|, how far a step moves a layer; None if that is no number.

    About 1/1000 is usual (Karpathy, CS231n, "Ratio of weights:updates").
    """
    change = (after - before).ravel()
    length = sqrt(float(np.vdot(before, before)))
    if not length or not isfinite(length):
        return None
    ratio = sqrt(max(float(np.vdot(change, change)), 0.0)) / length
    return ratio if isfinite(ratio) else None


def flat_shares(
    activation: str, Z: Float[Array, "N n"], A: Float[Array, "N n"]
) -> tuple[float, float] | None:
    """(share of units that are flat for all N examples, share of all N n answers that are flat).

    Flat: the slope is below FLAT times the activation's steepest, as a ReLU's below zero or a
    sigmoid's at its ends. Units that are flat for all learn nothing from these examples. None for
    softmax, whose outputs have no slope of their own.
    """
    if activation == "softmax":
        return None
    slope = _slope(activation, Z, A)
    flat = np.less(np.abs(slope), FLAT * _steepest(activation))
    return float(flat.all(axis=0).mean()), float(flat.mean())


def worst(
    probabilities: Float[Array, "N K"], labels: Int[Array, " N"], count: int = MISTAKES
) -> tuple[Mistake, ...]:
    """At most `count` of the wrong predictions, that with the least probable label first."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    order = wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")]
    return tuple(
        Mistake(i, int(labels[i]), int(predicted[i]), float(probabilities[i, predicted[i]]))
        for i in map(int, order[:count])
    )


def as_pictures(
    W: Float[Array, "pixels units"], count: int = UNITS
) -> tuple[UInt8[Array, "_ pixels"], float]:
    """The weights of the first `count` units as bytes, a row each, and the weight that is 255.

    128 is a weight of 0 and 1 one of minus that scale. One scale for all, where 199 of 200 weights
    are inside; what is beyond is cut. 1.0 where no weight is but 0 or a number.
    """
    shown = np.nan_to_num(W[:, :count].T, posinf=0.0, neginf=0.0)
    scale = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    return np.rint(128 + 127 * np.clip(shown / scale, -1, 1)).astype(np.uint8), scale


def grey(images: Float[Array, "N pixels"]) -> UInt8[Array, "N pixels"]:
    """Images as bytes: 255 for the brightest of each, whatever the network's inputs are scaled to.

    An image of nothing stays black.
    """
    highest = np.maximum(images.max(axis=1, keepdims=True), np.finfo(images.dtype).tiny)
    bytes_: Array = np.rint(255 * np.clip(images / highest, 0, 1)).astype(np.uint8)
    return bytes_


def _slope(activation: str, Z: Array, A: Array) -> Array:
    backward = ACTIVATIONS[activation].backward
    return backward(np.ones_like(A), Z, A, np.empty_like(A), np.empty_like(A))


@cache
def _steepest(activation: str) -> float:
    """The activation's steepest slope between -4 and 4, where all of them have it."""
    Z = np.linspace(-4, 4, 801)[:, None]
    A = ACTIVATIONS[activation].forward(Z.copy(), np.empty_like(Z))
    return float(_slope(activation, Z, A).max())
