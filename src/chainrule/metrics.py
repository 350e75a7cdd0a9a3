"""How good the predictions are, and how sure one can be of that figure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from chainrule.arrays import Array, Float, Int

Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % point: a two-sided interval of 95 %."""


def accuracy(labels: Int[Array, " N"], predicted: Int[Array, " N"]) -> float:
    """The share of examples whose class was predicted, 0..1."""
    return float(np.mean(labels == predicted))


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """The interval around successes / trials, 95 % unless `z` says otherwise.

    Wilson 1927; it stays inside 0..1 and holds its level near the ends, where accuracies live.
    Raises ValueError without a trial.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials}: successes are 0..trials, of at least one trial")
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max((centre - half) / scale, 0.0), min((centre + half) / scale, 1.0)


def mcnemar(only_first: int, only_second: int) -> float:
    """How likely luck alone gives two networks a difference at least as large, 0..1.

    `only_first` examples are right in the first network and wrong in the second, `only_second` the
    other way round; where both are right or both wrong tells nothing. Were the two equally good,
    each such example would be a toss of a coin. McNemar 1947, exact and two-sided: no
    approximation, so it holds for three examples as for three thousand. Raises ValueError for a
    count below 0.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"{only_first} and {only_second}: counts of examples are 0 or more")
    tosses, fewer = only_first + only_second, min(only_first, only_second)
    ways = at_most_fewer = 1
    for k in range(fewer):
        ways = ways * (tosses - k) // (k + 1)
        at_most_fewer += ways
    return min(1.0, 2 * at_most_fewer / (1 << tosses))


def confusion_matrix(
    labels: Int[Array, " N"], predicted: Int[Array, " N"], *, classes: int
) -> Int[Array, "K K"]:
    """Counts, (K, K): row = actual class, column = predicted class."""
    pairs = labels.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1, (K,) each, 0..1; 0 where there is nothing to count."""

    precision: Float[Array, " K"]
    recall: Float[Array, " K"]
    f1: Float[Array, " K"]
    support: Int[Array, " K"]
    """How many examples each class has."""


def per_class(confusion: Int[Array, "K K"]) -> ClassScores:
    """Scores of each class from a confusion matrix with rows of actual classes."""
    right = np.diag(confusion).astype(float)
    predicted, support = confusion.sum(axis=0), confusion.sum(axis=1)
    return ClassScores(
        precision=right / np.maximum(predicted, 1),
        recall=right / np.maximum(support, 1),
        f1=2 * right / np.maximum(predicted + support, 1),
        support=support,
    )


def top_k_accuracy(
    labels: Int[Array, " N"], probabilities: Float[Array, "N K"], *, k: int
) -> float:
    """The share of examples whose class is among the k most probable, 0..1.

    A class ties with another only by equal probability; ties count against the prediction.
    """
    at_label = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return float(np.mean((probabilities >= at_label).sum(axis=1) <= k))
