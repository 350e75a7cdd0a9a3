"""Assessment: a network's predictions on labelled examples, and the metrics computed from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.statistics import wilson_interval
from chainrule.data.dataset import Dataset, noun
from chainrule.evaluation import metrics
from chainrule.nn.model_file import Model
from chainrule.nn.predictor import check_answers

MOST_LISTED = 100_000
"""Mistakes listed in report.json, so that it is never too long to be read."""


@dataclass(frozen=True)
class Assessment:
    """Predictions of a network on N examples, and their metrics."""

    labels: Int[Array, " N"]
    predicted: Int[Array, " N"]
    probabilities: Float[Array, "N K"]
    accuracy: float
    interval: tuple[float, float]
    top_3: float | None
    """None for three classes or fewer, where it says nothing."""
    errors: int
    confusion: Int[Array, "K K"]
    scores: metrics.ClassScores
    noun: str = "images"
    """What the examples are called."""

    @property
    def beats_guessing(self) -> bool:
        """True if the accuracy is told from that of always answering the commonest class."""
        return beats_guessing(len(self.labels) - self.errors, self.labels)

    @property
    def confidence(self) -> Float[Array, " N"]:
        """Probability of each predicted class, 0..1."""
        confidence: Array = self.probabilities.max(axis=1)
        return confidence

    def mistakes(self) -> list[tuple[int, int, int]]:
        """(index, actual class, predicted class) of each wrong prediction, in order."""
        wrong = np.flatnonzero(self.labels != self.predicted)
        return [(int(i), int(self.labels[i]), int(self.predicted[i])) for i in wrong]

    def commonest_mistakes(self, most: int) -> list[tuple[int, int, int]]:
        """(actual class, predicted class, times), most frequent first, then by class."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        first = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = (divmod(int(place), len(wrong)) for place in first)
        return [(a, p, int(wrong[a, p])) for a, p in pairs if wrong[a, p]]

    def details(self) -> dict[str, Any]:
        """Confusion matrix and mistakes, for report.json; how many more there are, if any."""
        left = self.errors - MOST_LISTED
        listed = {"confusion": self.confusion.tolist(), "mistakes": self.mistakes()[:MOST_LISTED]}
        return listed | ({"mistakes_left_out": left} if left > 0 else {})

    def mistakes_in_full(self) -> list[dict[str, Any]]:
        """Wrong predictions, each with its confidence, 0..1, for JSON."""
        confidence = self.confidence
        return [
            {"index": i, "actual": a, "predicted": p, "confidence": float(confidence[i])}
            for i, a, p in self.mistakes()
        ]

    def per_class(self, classes: Sequence[str]) -> list[dict[str, Any]]:
        """Precision, recall, F1 and number of examples of each class, for JSON.

        None for the precision of a class that was never predicted, the recall of one without an
        example, and the F1 of one with neither.
        """
        s = self.scores
        rows = zip(classes, s.precision, s.recall, s.f1, s.support, s.predicted, strict=True)
        return [
            {"class": name, "precision": float(p) if predicted else None,
             "recall": float(r) if n else None, "f1": float(f) if n or predicted else None,
             "support": int(n), "predicted": int(predicted)}
            for name, p, r, f, n, predicted in rows
        ]  # fmt: skip


def assess(model: Model, images: Float[Array, "N n"], labels: Int[Array, " N"]) -> Assessment:
    """Predicts all images, pixels in 0..1, and measures the result."""
    return measure(model.predict_proba(images), labels, noun=noun(model.schema))


def assess_saved(run: str, model: Model, data: Dataset) -> Assessment:
    """`assess` on the test images, for an untrusted model file.

    Raises ModelFileError where its outputs are not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        found = assess(model, *data.test)
    check_answers(found.probabilities, name=run, noun=data.noun)
    return found


def measure(
    probabilities: Float[Array, "N K"], labels: Int[Array, " N"], *, noun: str = "images"
) -> Assessment:
    """Metrics of these predictions."""
    predicted = probabilities.argmax(axis=1)
    classes = probabilities.shape[1]
    right = int(np.count_nonzero(predicted == labels))
    confusion = metrics.confusion_matrix(labels, predicted, classes=classes)
    return Assessment(
        labels=labels,
        predicted=predicted,
        probabilities=probabilities,
        accuracy=metrics.accuracy(labels, predicted),
        interval=wilson_interval(right, len(labels)),
        top_3=metrics.top_k_accuracy(labels, probabilities, k=3) if classes > 3 else None,
        errors=len(labels) - right,
        confusion=confusion,
        scores=metrics.per_class(confusion),
        noun=noun,
    )


def without(found: Assessment, indices: Int[Array, " D"]) -> Assessment:
    """The same predictions, measured without these examples."""
    kept = np.ones(len(found.labels), bool)
    kept[indices] = False
    return measure(found.probabilities[kept], found.labels[kept], noun=found.noun)


def headline(found: Assessment) -> str:
    """One-line summary: accuracy with its 95 % interval, errors, and whether it is a guess's."""
    low, high = found.interval
    guess = (
        ""
        if found.beats_guessing
        else "; not significantly better than always answering the commonest class "
        f"({100 * commonest(found.labels):.2f} %)"
    )
    return (
        f"{100 * found.accuracy:.2f} % of {len(found.labels):,} test {found.noun} right "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f}), {found.errors} wrong{guess}"
    )


def commonest(labels: Int[Array, " N"]) -> float:
    """Share of the commonest class, 0..1: the accuracy of always answering it."""
    return float(np.bincount(labels).max() / len(labels))


def beats_guessing(right: int, labels: Int[Array, " N"]) -> bool:
    """True if the 95 % interval of `right` correct answers lies above the commonest class's share.

    With a single class there is nothing to guess, and it is True.
    """
    share = commonest(labels)
    return share == 1 or wilson_interval(right, len(labels))[0] > share
