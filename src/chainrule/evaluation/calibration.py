"""Calibration: of all predictions made at 90 % confidence, are 90 % right?

The expected calibration error (ECE) is the mean gap between confidence and accuracy, weighted over
bins of confidence. An accurate network can still be over- or underconfident; temperature scaling,
a single number T, corrects most of it:

    probabilities = softmax(logits / T)        T > 1: less sure        T < 1: surer

Both as in Guo et al. 2017 (arXiv:1706.04599), sections 2 and 4.2. T changes confidences, never the
predicted class, and is fitted on examples held out from training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.data.dataset import Examples
from chainrule.evaluation.assessment import Assessment
from chainrule.nn.activations import softmax
from chainrule.nn.loss_buffers import Buffers
from chainrule.nn.losses import softmax_cross_entropy
from chainrule.nn.model_file import Model
from chainrule.nn.targets import check_labels

BINS = 15
"""Number of bins, as in Guo et al."""
COLDEST, HOTTEST = 0.01, 100.0
"""Range in which the temperature is searched."""
HALVINGS = 32
"""Bisections of the range of log T, 9.2 wide: they leave 2e-9 of it."""


@dataclass(frozen=True)
class Bins:
    """Reliability bins: predictions by confidence, M bins of equal width over 0..1, (M,) each."""

    counts: Int[Array, " M"]
    right: Int[Array, " M"]
    """Correct predictions in each bin."""
    confidence: Float[Array, " M"]
    """Mean confidence in each bin, 0..1; 0 in an empty one."""

    @property
    def accuracy(self) -> Float[Array, " M"]:
        """Accuracy in each bin, 0..1; 0 in an empty one."""
        shares: Array = self.right / np.maximum(self.counts, 1)
        return shares

    @property
    def mean_confidence(self) -> float:
        """Mean confidence over all predictions, 0..1."""
        return float(self.counts @ self.confidence / self.counts.sum())

    @property
    def error(self) -> float:
        """Expected calibration error, 0..1: mean gap between confidence and accuracy, over bins."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(self.counts @ gaps / self.counts.sum())


def reliability(
    probabilities: Float[Array, "N K"], labels: Int[Array, " N"], *, bins: int = BINS
) -> Bins:
    """Reliability bins of these predictions; a bin includes its upper end, not its lower one.

    Raises ValueError without an example or a bin, and for labels that do not fit.
    """
    _check(probabilities, labels)
    if bins < 1:
        raise ValueError(f"{bins} bins: give one or more")
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bin_of = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    counts = np.bincount(bin_of, minlength=bins)
    total = np.bincount(bin_of, weights=confidence, minlength=bins)
    return Bins(
        counts=counts,
        right=np.bincount(bin_of[right], minlength=bins),
        confidence=total / np.maximum(counts, 1),
    )


def expected_calibration_error(
    probabilities: Float[Array, "N K"], labels: Int[Array, " N"], *, bins: int = BINS
) -> float:
    """Expected calibration error, 0..1 (Guo et al. 2017, equation 3)."""
    return reliability(probabilities, labels, bins=bins).error


def fit_temperature(probabilities: Float[Array, "N K"], labels: Int[Array, " N"]) -> float:
    """Maximum-likelihood temperature T, from COLDEST to HOTTEST.

    The mean loss is convex in 1/T: its slope, sum(dscores * scores), changes sign once, and
    bisection of log T finds where. If every prediction is right it never does: the lower T, the
    better, and the result is COLDEST. Raises ValueError without an example, and for labels that do
    not fit.
    """
    _check(probabilities, labels)
    scores = _logarithms(probabilities)
    # From the label's own: no softmax notices, and where all are right no term rounds to above 0.
    scores -= np.take_along_axis(scores, labels[:, None], axis=1)
    buffers = Buffers(len(labels), scores.shape[1], scores.dtype)
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        _, dscores = softmax_cross_entropy(scores / math.exp(middle), labels, buffers)
        if np.vdot(dscores, scores) <= 0:
            high = middle
        else:
            low = middle
    return math.exp((low + high) / 2)


def tempered(probabilities: Float[Array, "N K"], temperature: float) -> Float[Array, "N K"]:
    """Probabilities at another temperature, in float64: p^(1/T), each row summing to 1.

    For a network that ends in a softmax this is softmax(logits / T): its log-probabilities are its
    logits less a constant per row. Raises ValueError unless T > 0.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature {temperature}: give a number above 0")
    scores = _logarithms(probabilities) / temperature
    return softmax(scores, scores)


def _logarithms(probabilities: Float[Array, "N K"]) -> Float[Array, "N K"]:
    """Log-probabilities in float64; a 0 from underflow counts as the smallest normal number."""
    smallest = float(np.finfo(probabilities.dtype).tiny)
    values = np.maximum(probabilities, smallest).ravel().tolist()
    return np.fromiter(map(math.log, values), np.float64, len(values)).reshape(probabilities.shape)


def _check(probabilities: Float[Array, "N K"], labels: Int[Array, " N"]) -> None:
    if not len(labels) or len(labels) != len(probabilities):
        raise ValueError(
            f"{len(labels)} labels for {len(probabilities)} rows of probabilities: "
            "give one a row, and one row or more"
        )
    check_labels(labels, probabilities.shape[1])


@dataclass(frozen=True)
class Calibration:
    """Calibration of a network, as trained and at its fitted temperature."""

    bins: Bins
    temperature: float | None
    """None: not fitted, see `reason`."""
    after: Bins | None
    """Bins at that temperature."""
    fitted_on: int
    """Examples held out from training."""
    reason: str
    noun: str = "images"
    """What the examples are called."""

    def as_json(self) -> dict[str, Any]:
        """All of it, with each bin's count, accuracy and mean confidence."""
        after = None if self.after is None else _bins_as_json(self.after)
        return (
            {"images": int(self.bins.counts.sum())}
            | _bins_as_json(self.bins)
            | {
                "temperature": self.temperature,
                "fitted_on": self.fitted_on,
                "reason": self.reason,
                "at_temperature": after,
            }
        )

    def in_words(self) -> str:
        """Two lines."""
        lines = (
            f"{_calibration(self.bins)}, over {len(self.bins.counts)} bins of "
            f"{self.bins.counts.sum():,} test {self.noun}\n"
        )
        if self.temperature is None or self.after is None:
            return f"{lines}no temperature was fitted: {self.reason}"
        end = {COLDEST: ", the lowest tried", HOTTEST: ", the highest tried"}
        return (
            f"{lines}at temperature {self.temperature:.3f}{end.get(round(self.temperature, 6), '')}"
            f", fitted on the {self.fitted_on:,} "
            f"{self.noun} that training held out: {_calibration(self.after)}"
        )


def calibrate(
    model: Model, found: Assessment, validation: Examples | None, reason: str
) -> Calibration:
    """Calibration, with a fitted temperature where there are validation examples to fit it on.

    `reason` says why there are none. Raises ModelFileError where an answer is not finite.
    """
    bins = reliability(found.probabilities, found.labels)
    if validation is not None:
        probabilities = model.answers(validation.images)
        if (probabilities.argmax(axis=1) == validation.labels).all():
            reason = (
                f"all {len(validation.labels):,} {found.noun} that training held out are right, "
                "and the lower the temperature, the better it fits them"
            )
        else:
            temperature = fit_temperature(probabilities, validation.labels)
            after = reliability(tempered(found.probabilities, temperature), found.labels)
            return Calibration(bins, temperature, after, len(validation.labels), "", found.noun)
    return Calibration(bins, None, None, 0, reason, found.noun)


def _calibration(bins: Bins) -> str:
    return (
        f"mean confidence {100 * bins.mean_confidence:.2f} %, "
        f"expected calibration error {100 * bins.error:.2f} %"
    )


def _bins_as_json(bins: Bins) -> dict[str, Any]:
    return {
        "mean_confidence": bins.mean_confidence,
        "expected_calibration_error": bins.error,
        "bins": [
            {"count": int(n), "accuracy": float(a), "confidence": float(c)}
            for n, a, c in zip(bins.counts, bins.accuracy, bins.confidence, strict=True)
        ],
    }
