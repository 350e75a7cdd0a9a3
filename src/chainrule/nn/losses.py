"""Loss functions, each with its gradient w.r.t. the logits.

A loss takes the network's outputs Z (N, K), a target, labels y (N,) or values Y (N, K), and perhaps
weights w (N,). It returns its value, a mean over the examples by their weights, and dZ (N, K), the
true gradient of that value: the division by N, or by the sum of weights, happens here and nowhere
else. Derived in docs/derivation.md, section 4. Exponentials are taken only of numbers <= 0, so
logits of +-10,000 cannot overflow. Those of values stand in `losses_of_values`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Int, Target
from chainrule.core.tables import Table
from chainrule.nn.loss_buffers import Buffers, Weights, checked, total, weighed
from chainrule.nn.losses_of_values import ANY, COUNTS, poisson, squared_error
from chainrule.nn.targets import as_matrix, check_target

SHARES = (0.0, 1.0)
"""The lowest and the highest value of the sigmoid cross-entropy."""

LossFunction: TypeAlias = Callable[..., tuple[float, Float[Array, "N K"]]]
"""(logits, target, buffers=None, *, weights=None, label_smoothing=0) -> (loss, dlogits)

One of your own need not know `weights` where there are none."""

Strength: TypeAlias = int | float | Callable[[int | float], int | float]
"""Strength of the L2 penalty, or a function that gives it for a batch of such a sum of weights."""


def softmax_cross_entropy(
    logits: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: Buffers | None = None,
    *,
    weights: Weights = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Softmax cross-entropy: mean of -log softmax(z)[y], and (softmax(z) - target) / N.

    With smoothing s the target is 1 - s + s/K for the label, s/K elsewhere (Szegedy et al. 2016,
    section 7). Without `buffers` the labels are checked and new buffers allocated.
    """
    b = buffers or checked(logits, labels, weights)
    T = as_matrix(labels, label_smoothing, out=b.targets)
    np.maximum.reduce(logits, axis=1, keepdims=True, out=b.row)
    np.subtract(logits, b.row, out=b.dlogits)
    np.multiply(b.dlogits, T, out=b.scratch)
    np.exp(b.dlogits, out=b.dlogits)
    np.add.reduce(b.dlogits, axis=1, keepdims=True, out=b.row)
    np.divide(b.dlogits, b.row, out=b.dlogits)
    np.log(b.row, out=b.row)
    np.subtract(b.dlogits, T, out=b.dlogits)
    divisor = weighed(weights, b.row, b.scratch, b.dlogits)
    loss = (total(b.row) - total(b.scratch)) / divisor
    return loss, np.divide(b.dlogits, divisor, out=b.dlogits)


def sigmoid_cross_entropy(
    logits: Float[Array, "N K"],
    target: Target,
    buffers: Buffers | None = None,
    *,
    weights: Weights = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Sigmoid cross-entropy: sum over K outputs, mean over the batch; (sigmoid(z) - target) / N.

    One output costs log(1 + exp(z)) - z * target. Values are targets from 0 to 1: several labels at
    once, or with one output a yes or no. Of labels, the target is one-hot; with smoothing s it is
    1 - s + s/K and s/K.
    """
    b = buffers or checked(logits, target, weights, values=SHARES)
    T = as_matrix(target, label_smoothing, out=b.targets)
    # log(1 + exp(z)) = max(z, 0) + log(1 + exp(-|z|)); np.logaddexp is ten times slower.
    np.copysign(logits, -1, out=b.dlogits)
    np.exp(b.dlogits, out=b.dlogits)
    np.log1p(b.dlogits, out=b.dlogits)
    np.maximum(logits, 0, out=b.scratch)
    np.add(b.scratch, b.dlogits, out=b.scratch)
    np.subtract(logits, b.scratch, out=b.dlogits)
    np.exp(b.dlogits, out=b.dlogits)  # sigmoid(z) = exp(z - log(1 + exp(z)))
    np.subtract(b.dlogits, T, out=b.dlogits)
    # Element by element: one large logit would cancel the digits of a difference of two sums.
    np.multiply(logits, T, out=T)
    np.subtract(b.scratch, T, out=b.scratch)
    divisor = weighed(weights, b.scratch, b.dlogits)
    return total(b.scratch) / divisor, np.divide(b.dlogits, divisor, out=b.dlogits)


def mean_squared_error(
    outputs: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: Buffers | None = None,
    *,
    weights: Weights = None,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Mean squared error over all N K entries, and 2 (output - target) / (N K).

    The target is the one-hot label, smoothed as in the other losses. A network for this loss
    usually ends in a softmax or sigmoid layer, so that its outputs can reach the targets.
    """
    b = buffers or checked(outputs, labels, weights)
    np.subtract(outputs, as_matrix(labels, label_smoothing, out=b.targets), out=b.dlogits)
    np.multiply(b.dlogits, b.dlogits, out=b.scratch)
    entries = weighed(weights, b.scratch, b.dlogits) * outputs.shape[1]
    return total(b.scratch) / entries, np.multiply(b.dlogits, 2 / entries, out=b.dlogits)


def l2_penalty(
    weights: Float[Array, " P"],
    gradient: Float[Array, " P"],
    strength: float,
    scratch: Float[Array, " _"],
) -> float:
    """L2 penalty, strength / 2 * |w|^2; adds its gradient, strength * w, to `gradient`."""
    pull = np.multiply(weights, strength, out=scratch[: weights.size])
    np.add(gradient, pull, out=gradient)
    return 0.5 * float(np.dot(weights, pull))


def loss_function(loss: str | LossFunction) -> LossFunction:
    """The function of that name, or the one given."""
    return LOSSES[loss].function if isinstance(loss, str) else loss


def value_and_gradient(
    function: LossFunction,
    logits: Float[Array, "N K"],
    target: Target,
    buffers: Buffers,
    weights: Weights,
) -> tuple[float, Float[Array, "N K"]]:
    """(loss, dlogits) by a function that is told of weights only where there are any."""
    if weights is None:
        return function(logits, target, buffers)
    return function(logits, target, buffers, weights=weights)


def check_fits(target: Array, outputs: int, loss: str | LossFunction) -> None:
    """Raises ValueError unless the target is one of this loss; your own may take any."""
    if isinstance(loss, str):
        check_target(target, outputs, labels=LOSSES[loss].labels, values=LOSSES[loss].values)
    else:
        check_target(target, outputs, values=ANY)


@dataclass(frozen=True)
class Loss:
    """Row of the loss table: the function, its targets, and the activations that go with it."""

    function: LossFunction
    output: str
    """Activation of the network's last layer with this loss."""
    link: str
    """Link that turns the network's outputs into predictions."""
    labels: bool = True
    """Whether it takes labels."""
    values: tuple[float, float] | None = None
    """The lowest and the highest value that it takes; None: it takes none."""


LOSSES: Table[Loss] = Table(
    "loss",
    {
        "softmax-cross-entropy": Loss(softmax_cross_entropy, "identity", "softmax"),
        "sigmoid-cross-entropy": Loss(sigmoid_cross_entropy, "identity", "sigmoid", values=SHARES),
        "mean-squared-error": Loss(mean_squared_error, "softmax", "identity"),
        "squared-error": Loss(squared_error, "identity", "identity", labels=False, values=ANY),
        "poisson": Loss(poisson, "identity", "exp", labels=False, values=COUNTS),
    },
)
