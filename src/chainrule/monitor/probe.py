"""Training diagnostics, computed between steps on a few hundred examples.

Loss and accuracy, update ratios, dead and saturated units, the worst mistakes. The probe never
writes to the network and draws no random number: a watched run gives the same bits as an unwatched
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite, sqrt
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Int, UInt8
from chainrule.data.batches import spread
from chainrule.nn.activations import ACTIVATIONS, LINKS
from chainrule.nn.losses import LossFunction
from chainrule.nn.network import Network, Workspaces

Examples: TypeAlias = tuple[Float[Array, "_ n"], Int[Array, " _"]]
"""(images, labels)"""

EXAMPLES = 300
"""Most training examples, and most validation examples, to measure on."""

FLAT = 0.05
"""Slopes below this fraction of the activation's steepest count as flat: the gradient vanishes."""

UNITS = 24
"""First-layer units whose weights are shown."""

MISTAKES = 12


@dataclass(frozen=True)
class Measured:
    """Loss and accuracy on some examples."""

    loss: float | None
    """Mean loss, without penalties, dropout or label smoothing; None where not finite."""
    accuracy: float
    """0..1"""


@dataclass(frozen=True)
class Condition:
    """Condition of a layer; None where a figure does not apply."""

    update_ratio: float | None
    """Update ratio |dW| / |W| of one step."""
    stuck: float | None
    """Fraction of units that are flat for every example: dead, or saturated for good."""
    flat: float | None
    """Fraction of activations, over units and examples, where the slope is flat."""


@dataclass(frozen=True)
class Mistake:
    """Mistake: a misclassified example."""

    index: int
    """Index among the measured examples."""
    label: int
    predicted: int
    confidence: float
    """Probability of the predicted class, 0..1."""


@dataclass(frozen=True)
class Observation:
    """Diagnostics of a network between two steps."""

    training: Measured
    validation: Measured | None
    layers: tuple[Condition, ...]
    mistakes: tuple[Mistake, ...]
    """Worst first; from the validation examples, or without them from the training examples."""


class Probe:
    """Probe of a network in training: `arm` before a step, `observe` after it."""

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
        """Examples whose mistakes are reported, (images, labels)."""
        return self.validation or self.training

    def arm(self) -> None:
        """Copies the weights, so that `observe` can measure the next step's update."""
        for copy, W in zip(self._before, self.network.W, strict=True):
            np.copyto(copy, W)
        self.armed = True

    def observe(self) -> Observation:
        """Diagnostics now; without `arm` there is no update ratio."""
        ratios: Sequence[float | None] = [None] * len(self.network.W)
        # A diverging network overflows here; training reports that itself at its next step.
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
            LINKS[self.network.link].forward(outputs[2], probabilities)
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
    rows = spread(len(labels), count)
    return images[rows], labels[rows]


def update_ratio(
    before: Float[Array, "fan_in fan_out"], after: Float[Array, "fan_in fan_out"]
) -> float | None:
    """Update ratio of a layer, |after - before| / |before|; None where it is not finite.

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
    """(fraction of units flat for all N examples, fraction of all N n activations that are flat).

    Flat: the slope is below FLAT times the activation's steepest, as a ReLU's below zero or a
    sigmoid's at its ends. A unit that is flat for all examples learns nothing from them. None for
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
    """Worst mistakes, at most `count`, the least probable label first."""
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
    """First `count` units' weights as bytes, a row each, and the scale: the weight shown as 255.

    128 stands for 0, 1 for minus the scale. One scale for all units; it covers 199 of 200 weights,
    and larger ones are clipped. 1.0 where all weights are 0 or not finite.
    """
    shown = np.nan_to_num(W[:, :count].T, posinf=0.0, neginf=0.0)
    scale = float(np.quantile(np.abs(shown), 0.995)) or 1.0
    return np.rint(128 + 127 * np.clip(shown / scale, -1, 1)).astype(np.uint8), scale


def grey(images: Float[Array, "N pixels"]) -> UInt8[Array, "N pixels"]:
    """Images as bytes, 255 for each one's brightest pixel, whatever the scale of the inputs.

    A blank image stays black.
    """
    highest = np.maximum(images.max(axis=1, keepdims=True), np.finfo(images.dtype).tiny)
    bytes_: Array = np.rint(255 * np.clip(images / highest, 0, 1)).astype(np.uint8)
    return bytes_


def _slope(activation: str, Z: Array, A: Array) -> Array:
    backward = ACTIVATIONS[activation].backward
    return backward(np.ones_like(A), Z, A, np.empty_like(A), np.empty_like(A))


@cache
def _steepest(activation: str) -> float:
    """Steepest slope of the activation, searched in -4..4."""
    Z = np.linspace(-4, 4, 801)[:, None]
    A = ACTIVATIONS[activation].forward(Z.copy(), np.empty_like(Z))
    return float(_slope(activation, Z, A).max())
