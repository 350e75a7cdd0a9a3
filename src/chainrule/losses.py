"""How wrong the network is, and in which direction: each loss with its gradient by the logits.

A loss takes the network's outputs Z (N, K) and integer labels y (N,) and returns its value and
dZ (N, K), the true gradient of that value: the division by N stands here and nowhere else.
Derived in docs/derivation.md, section 4. Exponentials are taken of numbers <= 0 only, so that
logits of +-10,000 are as good as any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from chainrule.arrays import Array, Float, Int
from chainrule.tables import Table


class Buffers:
    """The memory that a loss writes into, for one batch size: made once, used at every step."""

    def __init__(self, examples: int, classes: int, dtype: Any) -> None:
        self.dlogits = np.zeros((examples, classes), dtype)
        self.scratch = np.zeros((examples, classes), dtype)
        self.row = np.zeros((examples, 1), dtype)
        self.row_sum = np.zeros((examples, 1), dtype)
        self.at_label = np.zeros(examples, dtype)
        self.row_start = np.arange(examples) * classes
        self.label_index = np.zeros(examples, np.intp)


LossFunction: TypeAlias = Callable[..., tuple[float, Float[Array, "N K"]]]
"""(logits, labels, buffers=None, *, label_smoothing=0) -> (loss, dlogits)"""


def softmax_cross_entropy(
    logits: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: Buffers | None = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Mean of -log softmax(z)[y] over the batch, and (softmax(z) - target) / N.

    With smoothing s the target is 1 - s + s/K for the label, s/K elsewhere (Szegedy et al. 2016,
    section 7). Without `buffers` the labels are checked and fresh memory is used.
    """
    b = buffers or _checked_buffers(logits, labels)
    examples, classes = logits.shape
    np.max(logits, axis=1, keepdims=True, out=b.row)
    np.subtract(logits, b.row, out=b.dlogits)
    _take_at_labels(b.dlogits, labels, b)
    log_target = float(b.at_label.sum())
    if label_smoothing:
        uniform = label_smoothing / classes
        log_target = (1 - label_smoothing) * log_target + uniform * float(b.dlogits.sum())
    np.exp(b.dlogits, out=b.dlogits)
    np.sum(b.dlogits, axis=1, keepdims=True, out=b.row_sum)
    np.divide(b.dlogits, b.row_sum, out=b.dlogits)
    np.log(b.row_sum, out=b.row_sum)
    loss = (float(b.row_sum.sum()) - log_target) / examples
    if label_smoothing:
        np.subtract(b.dlogits, label_smoothing / classes, out=b.dlogits)
    _subtract_at_labels(b.dlogits, labels, 1 - label_smoothing, b)
    return loss, np.divide(b.dlogits, examples, out=b.dlogits)


def sigmoid_cross_entropy(
    logits: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: Buffers | None = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """K yes-or-no questions: sum over classes, mean over the batch, and (sigmoid(z) - target) / N.

    One class costs log(1 + exp(z)) - z * target. Smoothing makes the targets 1 - s + s/K and s/K.
    """
    b = buffers or _checked_buffers(logits, labels)
    examples, classes = logits.shape
    np.logaddexp(0, logits, out=b.scratch)
    np.subtract(logits, b.scratch, out=b.dlogits)
    np.exp(b.dlogits, out=b.dlogits)  # sigmoid(z) = exp(z - log(1 + exp(z)))
    _take_at_labels(logits, labels, b)
    np.multiply(b.at_label, 1 - label_smoothing, out=b.row[:, 0])
    # Each from its own: one large logit would swallow the digits of a difference of two sums.
    _subtract_at_labels(b.scratch, labels, b.row[:, 0], b)
    loss = float(b.scratch.sum()) / examples
    if label_smoothing:
        uniform = label_smoothing / classes
        loss -= uniform * float(logits.sum()) / examples
        np.subtract(b.dlogits, uniform, out=b.dlogits)
    _subtract_at_labels(b.dlogits, labels, 1 - label_smoothing, b)
    return loss, np.divide(b.dlogits, examples, out=b.dlogits)


def mean_squared_error(
    outputs: Float[Array, "N K"],
    labels: Int[Array, " N"],
    buffers: Buffers | None = None,
    *,
    label_smoothing: float = 0.0,
) -> tuple[float, Float[Array, "N K"]]:
    """Mean of (output - target)^2 over all N K entries, and 2 (output - target) / (N K).

    The target is the one-hot label, smoothed as in the other losses. A network for this loss
    usually ends in a softmax or sigmoid layer, so that its outputs can reach the targets.
    """
    b = buffers or _checked_buffers(outputs, labels)
    examples, classes = outputs.shape
    np.subtract(outputs, label_smoothing / classes, out=b.dlogits)
    _subtract_at_labels(b.dlogits, labels, 1 - label_smoothing, b)
    np.multiply(b.dlogits, b.dlogits, out=b.scratch)
    loss = float(b.scratch.sum()) / (examples * classes)
    return loss, np.multiply(b.dlogits, 2 / (examples * classes), out=b.dlogits)


def l2_penalty(
    weights: Float[Array, " P"],
    gradient: Float[Array, " P"],
    strength: float,
    scratch: Float[Array, " P"],
) -> float:
    """Adds the penalty's gradient, strength * w, to `gradient`; returns strength / 2 * |w|^2."""
    np.multiply(weights, strength, out=scratch)
    np.add(gradient, scratch, out=gradient)
    return 0.5 * float(np.dot(weights, scratch))


def one_hot(labels: Int[Array, " N"], classes: int) -> Float[Array, "N K"]:
    """The labels as rows of zeros with a single 1, (N, K): the target of each loss, unsmoothed.

    Training never needs it: the losses look the label up instead.
    """
    check_labels(labels, classes)
    return np.eye(classes)[labels]


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


def _take_at_labels(values: Array, labels: Array, b: Buffers) -> None:
    """b.at_label[i] = values[i, labels[i]], without the temporaries of fancy indexing."""
    np.add(b.row_start, labels, out=b.label_index, dtype=np.intp)  # uint64 would make floats
    # mode="clip" because mode="raise" copies `out`; the labels were checked when training began.
    np.take(values.reshape(-1), b.label_index, out=b.at_label, mode="clip")


def _subtract_at_labels(values: Array, labels: Array, amount: float | Array, b: Buffers) -> None:
    """values[i, labels[i]] -= amount, one for all or one a row."""
    _take_at_labels(values, labels, b)
    np.subtract(b.at_label, amount, out=b.at_label)
    np.put(values, b.label_index, b.at_label)


@dataclass(frozen=True)
class Loss:
    """One row of the table: the function, and what stands at the network's two ends of it."""

    function: LossFunction
    output: str
    """The activation that the network's last layer has with this loss."""
    link: str
    """The activation that turns the network's outputs into probabilities."""


LOSSES: Table[Loss] = Table(
    "loss",
    {
        "softmax-cross-entropy": Loss(softmax_cross_entropy, "identity", "softmax"),
        "sigmoid-cross-entropy": Loss(sigmoid_cross_entropy, "identity", "sigmoid"),
        "mean-squared-error": Loss(mean_squared_error, "softmax", "identity"),
    },
)
