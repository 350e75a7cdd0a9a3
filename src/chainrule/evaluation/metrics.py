"""Classification metrics: accuracy, confusion matrix, precision, recall, F1, top-k accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.core.arrays import Array, Float, Int


def accuracy(labels: Int[Array, " N"], predicted: Int[Array, " N"]) -> float:
    """Fraction of correct predictions, 0..1."""
    return float(np.mean(labels == predicted))


def confusion_matrix(
    labels: Int[Array, " N"], predicted: Int[Array, " N"], *, classes: int
) -> Int[Array, "K K"]:
    """Confusion matrix, counts (K, K): row = actual class, column = predicted class."""
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1, (K,) each, 0..1; 0 where there is nothing to count."""

    precision: Float[Array, " K"]
    recall: Float[Array, " K"]
    f1: Float[Array, " K"]
    support: Int[Array, " K"]
    """Number of examples of each class; without one there is no recall."""
    predicted: Int[Array, " K"]
    """Number of predictions of each class; without one there is no precision."""


def per_class(confusion: Int[Array, "K K"]) -> ClassScores:
    """Scores of each class from a confusion matrix with rows of actual classes."""
    right = np.diag(confusion).astype(float)
    predicted, support = confusion.sum(axis=0), confusion.sum(axis=1)
    return ClassScores(
        precision=right / np.maximum(predicted, 1),
        recall=right / np.maximum(support, 1),
        f1=2 * right / np.maximum(predicted + support, 1),
        support=support,
        predicted=predicted,
    )


def top_k_accuracy(
    labels: Int[Array, " N"], probabilities: Float[Array, "N K"], *, k: int
) -> float:
    """Top-k accuracy, 0..1: fraction of examples whose class is among the k most probable.

    Classes of equal probability tie; ties count against the prediction.
    """
    at_label = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return float(np.mean((probabilities >= at_label).sum(axis=1) <= k))
