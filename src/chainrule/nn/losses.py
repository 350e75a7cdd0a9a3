"""Loss functions, each with its gradient w.r.t. the logits.

A loss takes the network's outputs Z (N, K) and integer labels y (N,) and returns its value and
dZ (N, K), the true gradient of that value: the division by N happens here and nowhere else.
Derived in docs/derivation.md, section 4. Exponentials are taken only of numbers <= 0, so logits of
+-10,000 cannot overflow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.tables import Table


class Buffers:
    """Buffers a loss writes into, for one batch size: allocated once, used at every step."""

    def __init__(self, examples: int, classes: int, dtype: Any) -> None:
        self.dlogits = np.zeros((examples, classes), dtype)
        self.targets = np.zeros((examples, classes), dtype)
        self.scratch = np.zeros((examples, classes), dtype)
        self.row = np.zeros((examples, 1), dtype)


LossFunction: TypeAlias = Callable[..., tuple[float, Float[Array, "N K"]]]
"""(logits, labels, buffers=None, *, label_smoothing=0) -> (loss, dlogits)"""


def softmax_cross_entropy(
    logits: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: Buffers | None = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Softmax cross-entropy: mean of -log softmax(z)[y], and (softmax(z) - target) / N.

    With smoothing s the target is 1 - s + s/K for the label, s/K elsewhere (Szegedy et al. 2016,
    section 7). Without `buffers` the labels are checked and new buffers allocated.
    """
    b = buffers or _checked_buffers(logits, labels)
    T = targets(labels, label_smoothing, out=b.targets)
    np.maximum.reduce(logits, axis=1, keepdims=True, out=b.row)
    np.subtract(logits, b.row, out=b.dlogits)
    np.multiply(b.dlogits, T, out=b.scratch)
    log_target = float(np.add.reduce(b.scratch, axis=None))
    np.exp(b.dlogits, out=b.dlogits)
    np.add.reduce(b.dlogits, axis=1, keepdims=True, out=b.row)
    np.divide(b.dlogits, b.row, out=b.dlogits)
    np.log(b.row, out=b.row)
    loss = (float(np.add.reduce(b.row, axis=None)) - log_target) / len(labels)
    np.subtract(b.dlogits, T, out=b.dlogits)
    return loss, np.divide(b.dlogits, len(labels), out=b.dlogits)


def sigmoid_cross_entropy(
    logits: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: Buffers | None = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Sigmoid cross-entropy: sum over K classes, mean over the batch; (sigmoid(z) - target) / N.

    One class costs log(1 + exp(z)) - z * target. With smoothing s the targets are 1 - s + s/K and
    s/K.
    """
    b = buffers or _checked_buffers(logits, labels)
    T = targets(labels, label_smoothing, out=b.targets)
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
    loss = float(np.add.reduce(b.scratch, axis=None)) / len(labels)
    return loss, np.divide(b.dlogits, len(labels), out=b.dlogits)


def mean_squared_error(
    outputs: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: Buffers | None = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Mean squared error over all N K entries, and 2 (output - target) / (N K).

    The target is the one-hot label, smoothed as in the other losses. A network for this loss
    usually ends in a softmax or sigmoid layer, so that its outputs can reach the targets.
    """
    b = buffers or _checked_buffers(outputs, labels)
    np.subtract(outputs, targets(labels, label_smoothing, out=b.targets), out=b.dlogits)
    np.multiply(b.dlogits, b.dlogits, out=b.scratch)
    loss = float(np.add.reduce(b.scratch, axis=None)) / outputs.size
    return loss, np.multiply(b.dlogits, 2 / outputs.size, out=b.dlogits)


def l2_penalty(
    weights: Float[Array, " P"],
    gradient: Float[Array, " P"],
    strength: float,
    scratch: Float[Array, " P"],
) -> float:
    """L2 penalty, strength / 2 * |w|^2; adds its gradient, strength * w, to `gradient`."""
    np.multiply(weights, strength, out=scratch)
    np.add(gradient, scratch, out=gradient)
    return 0.5 * float(np.dot(weights, scratch))


def one_hot(labels: Int[Array, " N"], classes: int) -> Float[Array, "N K"]:
    """One-hot labels: rows of zeros with a single 1, (N, K)."""
    check_labels(labels, classes)
    return targets(labels, 0.0, out=np.zeros((len(labels), classes)))


def targets(
    labels: Int[Array, " N"], smoothing: float, *, out: Float[Array, "N K"]
) -> Float[Array, "N K"]:
    """Smoothed targets: 1 - s + s/K at each label, s/K elsewhere, written into `out`."""
    rows = _target_rows(out.shape[1], smoothing, out.dtype)
    # mode="clip" because mode="raise" copies `out`; the labels were checked before training.
    return rows.take(labels, 0, out, "clip")


@cache
def _target_rows(classes: int, smoothing: float, dtype: np.dtype[Any]) -> Float[Array, "K K"]:
    """The target of each label."""
    return ((1 - smoothing) * np.eye(classes) + smoothing / classes).astype(dtype)


def check_labels(labels: Array, classes: int) -> None:
    """Raises ValueError unless `labels` is a vector of integers in 0..classes-1."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels have shape {labels.shape} and type {labels.dtype}: "
            "give one integer an example, shape (N,)"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        raise ValueError(
            f"label {labels[outside[0]]} of example {outside[0]} is outside 0..{classes - 1}: "
            f"the network's last layer has {classes} outputs, one a class"
        )


def _checked_buffers(logits: Array, labels: Array) -> Buffers:
    if len(labels) != len(logits):
        raise ValueError(f"{len(labels)} labels for {len(logits)} rows of logits: give one a row")
    check_labels(labels, logits.shape[1])
    examples, classes = logits.shape
    return Buffers(examples, classes, logits.dtype)


@dataclass(frozen=True)
class Loss:
    """Row of the loss table: the function and the activations that go with it."""

    function: LossFunction
    output: str
    """Activation of the network's last layer with this loss."""
    link: str
    """Activation that turns the network's outputs into probabilities."""


LOSSES: Table[Loss] = Table(
    "loss",
    {
        "softmax-cross-entropy": Loss(softmax_cross_entropy, "identity", "softmax"),
        "sigmoid-cross-entropy": Loss(sigmoid_cross_entropy, "identity", "sigmoid"),
        "mean-squared-error": Loss(mean_squared_error, "softmax", "identity"),
    },
)
