"""Targets: what a network is to answer, labels or values, and how much each example weighs.

    labels   (N,) integers 0..K-1: the one class of each example
    values   (N, K) floats: K numbers an example; 0 and 1 where several labels may hold at once
    weights  (N,) floats from 0 up: an example of weight 2 counts like two of weight 1

A loss of labels compares the outputs with the labels as a matrix, one-hot: `as_matrix`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import inf, isfinite
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float, Int, Target


def as_matrix(target: Target, smoothing: float, *, out: Float[Array, "N K"]) -> Float[Array, "N K"]:
    """The target as a matrix, (N, K), written into `out`: values as they are, labels one-hot.

    Smoothed labels are 1 - s + s/K at the label, s/K elsewhere. Raises ValueError for smoothed
    values.
    """
    if target.ndim == 2:
        if smoothing:
            raise ValueError(f"label_smoothing {smoothing}: values are no labels; leave it out")
        np.copyto(out, target)
        return out
    rows = _target_rows(out.shape[1], smoothing, out.dtype)
    # mode="clip" because mode="raise" copies `out`; the labels were checked before training.
    return rows.take(target, 0, out, "clip")


@cache
def _target_rows(classes: int, smoothing: float, dtype: np.dtype[Any]) -> Float[Array, "K K"]:
    """The target of each label."""
    return ((1 - smoothing) * np.eye(classes) + smoothing / classes).astype(dtype)


def one_hot(labels: Int[Array, " N"], classes: int) -> Float[Array, "N K"]:
    """One-hot labels: rows of zeros with a single 1, (N, K)."""
    check_labels(labels, classes)
    return as_matrix(labels, 0.0, out=np.zeros((len(labels), classes)))


def check_target(
    target: Array, outputs: int, *, labels: bool = True, values: tuple[float, float] | None = None
) -> None:
    """Raises ValueError unless the target is of a kind that a loss takes, for so many outputs.

    These are `labels`, or `values` from the lowest to the highest, or either.
    """
    is_labels = target.ndim == 1 and target.dtype.kind in "iu"
    if values is None and target.ndim == 2 and target.dtype.kind == "f":
        raise ValueError(
            f"this loss takes labels, and the target is values, {_shape(target)}: give one integer "
            "an example, shape (N,), or a loss of values, such as squared-error"
        )
    if is_labels and not labels:
        raise ValueError(
            f"this loss takes values, and the target is labels, {_shape(target)}: give floats, "
            f"shape (N, {outputs}), or a loss of labels, such as softmax-cross-entropy"
        )
    if values is None or (labels and (is_labels or target.ndim == 1)):
        check_labels(target, outputs)
    else:
        check_values(target, outputs, *values)


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


def check_values(values: Array, outputs: int, low: float = -inf, high: float = inf) -> None:
    """Raises ValueError unless `values` is (N, outputs), of finite floats from `low` to `high`."""
    if values.dtype.kind != "f":
        raise ValueError(
            f"values are of type {values.dtype}: give floats, values.astype('float32')"
        )
    if values.ndim != 2 or values.shape[1] != outputs:
        raise ValueError(
            f"values have shape {values.shape}: the network's last layer has {outputs} outputs, so "
            f"give (N, {outputs}), one example a row{', values[:, None]' * (values.ndim == 1)}"
        )
    outside = np.argwhere(~(np.isfinite(values) & (values >= low) & (values <= high)))
    if len(outside):
        row, column = outside[0]
        raise ValueError(
            f"value {values[row, column]} of example {row}, output {column} is not "
            f"{_range(low, high)}: repair or leave out that example, or choose another loss"
        )


def check_weights(weights: Array, examples: int) -> None:
    """Raises ValueError unless `weights` are `examples` finite floats from 0 up, not all 0."""
    if weights.shape != (examples,) or weights.dtype.kind != "f":
        raise ValueError(
            f"weights have shape {weights.shape} and type {weights.dtype}: give one float an "
            f"example, shape ({examples},), weights.astype('float32')"
        )
    outside = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if outside.size:
        raise ValueError(
            f"weight {weights[outside[0]]} of example {outside[0]} is not {_range(0.0, inf)}: "
            "0 leaves an example out"
        )
    if not (weights.any() and isfinite(float(weights.sum(dtype=np.float64)))):
        raise ValueError(f"the weights sum to {weights.sum()}: give some example a weight above 0")


def class_weights(
    labels: Int[Array, " N"], weights: str | Mapping[int, int | float]
) -> Float[Array, " N"]:
    """The weight of each example by its class, (N,), float32.

    "balanced" gives all classes that occur the same sum, N over their number (King and Zeng 2001;
    scikit-learn's `compute_sample_weight`); a table gives the weight of each class, and 1 to those
    that are not in it. Raises ValueError for any other word.
    """
    present, which, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if isinstance(weights, str):
        if weights != "balanced":
            raise ValueError(
                f"class weights {weights!r}: give 'balanced', or a table such as {{0: 1.0, 1: 2.5}}"
            )
        of_class = len(labels) / (len(present) * counts)
    else:
        if unknown := [label for label in weights if label not in present]:
            raise ValueError(
                f"class weights name class {unknown[0]!r}, and no label is one: leave it out"
            )
        of_class = np.array([weights.get(int(label), 1.0) for label in present], np.float64)
    return of_class[which].astype(np.float32)


def _shape(array: Array) -> str:
    return f"shape {array.shape} of {array.dtype}"


def _range(low: float, high: float) -> str:
    if low == -inf:
        return "a finite number"
    return (
        f"a finite number from {low:g} up" if high == inf else f"a number from {low:g} to {high:g}"
    )
