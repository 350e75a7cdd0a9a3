"""Whether a network's confidence can be believed: of all answers given at 90 %, are 90 % right?

The calibration error is the gap between the two, weighed over bins of confidence. A network can be
right often and still be too sure or too modest; one number, the temperature T, mends most of it:

    probabilities = softmax(scores / T)        T > 1: less sure        T < 1: surer

Both as in Guo et al. 2017 (arXiv:1706.04599), sections 2 and 4.2. T changes no answer, only how
sure it is, and it is fitted on examples that the network has not learned from.
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
from chainrule.nn.losses import Buffers, check_labels, softmax_cross_entropy
from chainrule.nn.model_file import Model

BINS = 15
"""As many as Guo et al. use."""
COLDEST, HOTTEST = 0.01, 100.0
"""A temperature is looked for between these."""
HALVINGS = 32
"""Of the range of log T, 9.2 wide: they leave 2e-9 of it."""


@dataclass(frozen=True)
class Bins:
    """Answers sorted by their confidence into M bins of equal width over 0..1, (M,) each."""

    counts: Int[Array, " M"]
    right: Int[Array, " M"]
    """How many answers in each bin are right."""
    confidence: Float[Array, " M"]
    """The mean confidence in each bin, 0..1; 0 in an empty one."""

    @property
    def accuracy(self) -> Float[Array, " M"]:
        """The share of right answers in each bin, 0..1; 0 in an empty one."""
        shares: Array = self.right / np.maximum(self.counts, 1)
        return shares

    @property
    def mean_confidence(self) -> float:
        """Over all answers, 0..1."""
        return float(self.counts @ self.confidence / self.counts.sum())

    @property
    def error(self) -> float:
        """The expected calibration error, 0..1: mean gap of confidence and accuracy, by bin."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float(self.counts @ gaps / self.counts.sum())


def reliability(
    probabilities: Float[Array, "N K"], labels: Int[Array, " N"], *, bins: int = BINS
) -> Bins:
    """Each example's most probable class, right or wrong, by the probability it was given.

    A bin holds its upper end and not its lower one. Raises ValueError without an example or a bin,
    and for labels that do not fit.
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
    """How far confidence and accuracy lie apart on average, 0..1 (Guo et al. 2017, equation 3)."""
    return reliability(probabilities, labels, bins=bins).error


def fit_temperature(probabilities: Float[Array, "N K"], labels: Int[Array, " N"]) -> float:
    """The temperature T that makes the labels most likely, from COLDEST to HOTTEST.

    The mean loss is convex in 1/T: its slope, sum(dscores * scores), changes sign once, and halving
    the interval of log T finds where. It does not where each most probable class is right: any
    lower T is better then, and the answer is COLDEST. Raises ValueError without an example, and for
    labels that do not fit.
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
    """The probabilities at another temperature, in float64: p^(1/T), each row summing to 1.

    That is softmax(logits / T) for a network that ends in a softmax: the logarithm of its
    probabilities is its logits, less one number a row. Raises ValueError unless T > 0.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature {temperature}: give a number above 0")
    scores = _logarithms(probabilities) / temperature
    return softmax(scores, scores)


def _logarithms(probabilities: Float[Array, "N K"]) -> Float[Array, "N K"]:
    """Their logarithms in float64; what underflowed to 0 counts as the smallest normal number."""
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
    """How sure a network is of its answers, as it is and at the temperature that suits it."""

    bins: Bins
    temperature: float | None
    """None: none was fitted, see `reason`."""
    after: Bins | None
    """The bins at that temperature."""
    fitted_on: int
    """Images held out from training."""
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Everything, with the bins' counts, shares of right answers and mean confidences."""
        after = None if self.after is None else _bins_as_json(self.after)
        return _bins_as_json(self.bins) | {
            "temperature": self.temperature,
            "fitted_on": self.fitted_on,
            "reason": self.reason,
            "at_temperature": after,
        }

    def in_words(self) -> str:
        """Two lines."""
        lines = f"{_calibration(self.bins)}, over {len(self.bins.counts)} bins\n"
        if self.temperature is None or self.after is None:
            return f"{lines}no temperature was fitted: {self.reason}"
        return (
            f"{lines}at temperature {self.temperature:.3f}, fitted on the {self.fitted_on:,} "
            f"images that training held out: {_calibration(self.after)}"
        )


def calibrate(
    model: Model, found: Assessment, validation: Examples | None, reason: str
) -> Calibration:
    """How sure the answers are; at a temperature too, where there are examples to fit it on.

    `reason` says why there are none.
    """
    bins = reliability(found.probabilities, found.labels)
    if validation is not None:
        probabilities = model.predict_proba(validation.images)
        if (probabilities.argmax(axis=1) == validation.labels).all():
            reason = (
                f"all {len(validation.labels):,} images that training held out are right, "
                "and the lower the temperature, the better it fits them"
            )
        else:
            temperature = fit_temperature(probabilities, validation.labels)
            after = reliability(tempered(found.probabilities, temperature), found.labels)
            return Calibration(bins, temperature, after, len(validation.labels), "")
    return Calibration(bins, None, None, 0, reason)


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
