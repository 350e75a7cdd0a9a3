"""Scores: how good predictions are, in the words people use, while the loss is what is minimised.

    accuracy             share of examples whose most probable class is their label
    subset-accuracy      share of examples of which every yes or no is right (a probability >= 1/2)
    r2                   share of the values' variance that is explained, mean over the outputs
    mean-absolute-error  mean distance from the values

All weighted like the loss, and those of scikit-learn of the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.tables import Table
from chainrule.nn.losses import LOSSES, LossFunction

Terms: TypeAlias = Callable[[Float[Array, "N K"], Array], Array]
"""(predictions, target) -> what each example adds, (N, 1) or (N, K)"""


def hits(predictions: Float[Array, "N K"], labels: Array) -> Array:
    """1 where the highest output is that of the label."""
    right: Array = predictions.argmax(axis=1) == labels
    return right[:, None]


def whole_hits(probabilities: Float[Array, "N K"], values: Array) -> Array:
    """1 where every output is on the right side of 1/2."""
    right: Array = ((probabilities >= 0.5) == (values >= 0.5)).all(axis=1)
    return right[:, None]


def squares(predictions: Float[Array, "N K"], values: Array) -> Array:
    """Squared errors, in float64."""
    squared: Array = np.square(predictions - values, dtype=np.float64)
    return squared


def distances(predictions: Float[Array, "N K"], values: Array) -> Array:
    """Absolute errors, in float64."""
    distance: Array = np.abs(predictions - values, dtype=np.float64)
    return distance


def mean(means: Array, target: Array, weights: Array | None) -> float:
    """The mean over the outputs."""
    return float(np.mean(means))


def explained(means: Array, values: Array, weights: Array | None) -> float:
    """R2, 1 - mean squared error / variance; 1 or 0 where the values do not vary."""
    exact = values.astype(np.float64)
    variance = np.average(
        np.square(exact - np.average(exact, axis=0, weights=weights)), axis=0, weights=weights
    )
    varies = variance > 0
    unexplained = np.where(varies, means / np.where(varies, variance, 1), means > 0)
    return float(1 - np.mean(unexplained))


@dataclass(frozen=True)
class Score:
    """Row of the score table: the mean of each example's terms, and what is made of it."""

    terms: Terms
    finish: Callable[[Array, Array, Array | None], float]
    """(mean terms (1,) or (K,), target, weights) -> score"""
    labels: bool = False
    """Compares with labels; else with values."""
    linked: bool = True
    """Takes predictions, by the network's link; else the outputs, of which it takes the highest."""


SCORES: Table[Score] = Table(
    "score",
    {
        "accuracy": Score(hits, mean, labels=True, linked=False),
        "subset-accuracy": Score(whole_hits, mean),
        "r2": Score(squares, explained),
        "mean-absolute-error": Score(distances, mean),
    },
)


def score_of(loss: str | LossFunction, target: Array) -> str:
    """The score that goes with a loss on this target.

    That is accuracy for labels, subset-accuracy for yes and no, r2 for all other values.
    """
    if target.ndim == 1:
        return "accuracy"
    yes_or_no = isinstance(loss, str) and LOSSES[loss].link == "sigmoid"
    return "subset-accuracy" if yes_or_no else "r2"


def check_score(score: str, target: Array) -> None:
    """Raises ValueError unless the score is one of this kind of target."""
    if SCORES[score].labels != (target.ndim == 1):
        fitting = [name for name, row in SCORES.items() if row.labels == (target.ndim == 1)]
        raise ValueError(
            f"score {score} does not compare with a target of shape {target.shape}: choose one of "
            f"{', '.join(fitting)}"
        )
