"""Gradient check: hand-derived gradients against central differences of the loss.

The numeric slope takes four values of the loss, docs/derivation.md, section 8:

    dL/dw = (8 (L(w + h) - L(w - h)) - (L(w + 2h) - L(w - 2h))) / 12h + O(h^4)

in float64. At the kink of a ReLU there is no slope: a parameter whose perturbation moves some unit
across Z = 0 is skipped, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import numpy as np

from chainrule.core.arrays import Array, Float, Inputs, Target, as_inputs
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.losses import (
    LOSSES,
    Loss,
    LossFunction,
    l2_penalty,
    loss_function,
)
from chainrule.nn.network import Network, Workspace

STEP = 1e-3
"""The step h: the formula's O(h^4) and the rounding of the loss both stay below 1e-12."""

TOLERANCE = 1e-7


@dataclass(frozen=True)
class Mismatch:
    """Parameter whose analytic and numeric gradients differ."""

    layer: int
    """1, 2, 3, ..."""
    parameter: str
    """W[i, j], b[j] or gamma[j]."""
    analytic: float
    numeric: float
    error: float

    def __str__(self) -> str:
        return (
            f"layer {self.layer}, {self.parameter}: by hand {self.analytic:.9g}, "
            f"by differences {self.numeric:.9g}, relative error {self.error:.1e}"
        )


@dataclass(frozen=True)
class GradientCheck:
    """Result of a gradient check."""

    checked: int
    skipped: int
    """Parameters at a kink, where no slope exists."""
    worst: float
    """The largest relative error."""
    failures: list[Mismatch] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """True if no parameter failed and at least one was compared."""
        return self.checked > 0 and not self.failures


def gradcheck(
    network: Network,
    X: Inputs,
    y: Target,
    loss: str | LossFunction = "softmax-cross-entropy",
    *,
    weights: Float[Array, " N"] | None = None,
    l2: float = 0.0,
    label_smoothing: float = 0.0,
    tolerance: float = TOLERANCE,
    seed: int = 0,
) -> GradientCheck:
    """Compares every parameter's gradient with central differences of the loss.

    Works on a float64 copy of the network; a few hundred parameters and a batch of a few rows take
    a fraction of a second. The relative error of one parameter is |analytic - numeric| over the
    larger of the two, or over a thousandth of the network's largest gradient where both are
    smaller than that.

    A network with dropout, noise or batch normalisation is checked in training mode: each forward
    pass draws the same random numbers, from `seed`.
    """
    network = network.copy(np.float64)
    X = as_inputs(X, np.float64)
    function = partial(loss_function(loss), label_smoothing=label_smoothing)
    if weights is not None:
        function = partial(function, weights=weights)
    workspace = Workspace(network, len(y))
    penalized = slice(network.layout.weights_end)
    scratch = np.zeros(network.layout.weights_end)

    def forward() -> Array:
        rng = np.random.Generator(np.random.PCG64(seed)) if network.has_training_mode else None
        return network.forward(X, workspace, rng)

    def value() -> float:
        outputs = forward()
        total, _ = function(outputs, y)
        return total + 0.5 * l2 * float(np.square(network.parameters[penalized]).sum())

    sides = _sides_of_kinks(network, workspace)
    outputs = forward()
    before = sides()  # now: a faulty backward pass might overwrite A
    _, dlogits = function(outputs, y)
    analytic = network.backward(dlogits, workspace).copy()
    l2_penalty(network.parameters[penalized], analytic[penalized], l2, scratch)

    floor = max(1e-3 * float(np.abs(analytic).max()), 1e-9)
    checked, skipped, worst, failures = 0, 0, 0.0, []
    for layer, name, values, gradient in _named(network, analytic):
        for index in np.ndindex(values.shape):
            numeric = _slope(values, index, value, sides, before)
            if numeric is None:
                skipped += 1
                continue
            checked += 1
            by_hand = float(gradient[index])
            error = abs(by_hand - numeric) / max(abs(by_hand), abs(numeric), floor)
            # `not <=` rather than `>`: an error of nan is a failure too.
            if not error <= tolerance:
                where = f"{name}[{', '.join(map(str, index))}]"
                failures.append(Mismatch(layer, where, by_hand, numeric, error))
            worst = max(worst, error) if error == error else error
    return GradientCheck(checked, skipped, worst, failures)


def walk(rng: np.random.Generator) -> Iterator[tuple[str, str, GradientCheck]]:
    """(activation, loss, check) for every hidden activation with every loss and kind of target.

    Each is checked with the loss's own output activation and with the hidden one there too, each of
    these plain and with L2 penalty, weights and, for labels, label smoothing; and once more with
    batch normalisation, dropout and noise.
    """
    for activation, (name, loss) in product(ACTIVATIONS, LOSSES.items()):
        for of_labels in [True] * loss.labels + [False] * bool(loss.values):
            smoothing = 0.1 * of_labels
            for output, more in product((loss.output, activation), (False, True)):
                network = Network.dense([5, 4, 4, 3], activation, rng=rng, output=output)
                for b in network.b:
                    b[...] = rng.normal(0, 0.1, b.shape)
                X, y = rng.normal(size=(6, 5)), _target(rng, 6, loss, of_labels=of_labels)
                yield activation, name, gradcheck(
                    network, X, y, name, weights=rng.random(6) if more else None,
                    l2=0.3 * more, label_smoothing=smoothing * more,
                )  # fmt: skip
            network = Network.dense(
                [5, 4, 4, 3], activation, rng=rng, output=loss.output, batch_norm=True,
                dropout=0.2, input_dropout=0.1, noise=0.1, input_noise=0.1,
            )  # fmt: skip
            for W in network.W[:-1]:
                W *= 4  # so that sigma is far larger than a step
            for b, gamma in zip(network.b, network.gamma, strict=True):
                b[...] = rng.normal(0, 0.1, b.shape)
                gamma[...] = rng.normal(1, 0.1, gamma.shape)
            X, y = rng.normal(size=(12, 5)), _target(rng, 12, loss, of_labels=of_labels)
            yield (
                activation,
                name,
                gradcheck(
                    network, X, y, name, weights=rng.random(12), l2=0.3, label_smoothing=smoothing
                ),
            )


def _target(rng: np.random.Generator, rows: int, loss: Loss, *, of_labels: bool) -> Target:
    """Labels, or values of which a third are the lowest that the loss takes, for three outputs."""
    if of_labels:
        labels: Array = rng.integers(3, size=rows)
        return labels
    low, high = loss.values or (0.0, 1.0)
    values: Array = rng.uniform(max(low, -2.0), min(high, 2.0), (rows, 3))
    values[::3] = max(low, -2.0)
    return values


def _named(network: Network, flat: Array) -> list[tuple[int, str, Array, Array]]:
    """(layer, "W", "b" or "gamma", the parameters, their gradient) for each array."""
    names = ("W", "b", "gamma")
    arrays = zip(
        names, (network.W, network.b, network.gamma), network.layout.parameters(flat), strict=True
    )
    return [
        (layer, name, values, gradient)
        for name, own, gradients in arrays
        for layer, (values, gradient) in enumerate(zip(own, gradients, strict=True), 1)
    ]


def _slope(
    values: Array,
    index: tuple[int, ...],
    value: Callable[[], float],
    sides: Callable[[], list[Array]],
    before: list[Array],
) -> float | None:
    """Numeric slope of the loss along one parameter; None where a step crosses a kink."""
    kept = float(values[index])
    losses = {}
    for step in (-2, -1, 1, 2):
        values[index] = kept + step * STEP
        losses[step] = value()
        crossed = any((a != b).any() for a, b in zip(before, sides(), strict=True))
        if crossed:
            break
    values[index] = kept
    if crossed:
        return None
    near, far = losses[1] - losses[-1], losses[2] - losses[-2]
    return (8 * near - far) / (12 * STEP)


def _sides_of_kinks(network: Network, workspace: Workspace) -> Callable[[], list[Array]]:
    """Function returning the side of its kink each kinked unit was on in the last forward pass."""
    kinked = [i for i, layer in enumerate(network.layers) if ACTIVATIONS[layer.activation].kinked]
    # A kinked activation keeps the sign of Z, so A shows the side.
    return lambda: [workspace.A[i] > 0 for i in kinked]
