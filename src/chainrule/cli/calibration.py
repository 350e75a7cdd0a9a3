"""How sure a trained network is of its answers, and at which temperature it would be rightly so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chainrule.calibration import Bins, fit_temperature, reliability, tempered
from chainrule.checkpoint import Model
from chainrule.cli.report import Assessment
from chainrule.data.dataset import Dataset, Examples
from chainrule.settings import ConfigError, checked


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


def held_out(config: dict[str, Any], data: Dataset) -> tuple[Examples | None, str]:
    """(the examples that a run held out from training, why there are none).

    They are the last `validation` of its training examples, as `chainrule.jobs.prepare` takes
    them. Raises ConfigError where the run's config.toml cannot be right.
    """
    settings, sums = config.get("settings"), config.get("checksums")
    if not isinstance(settings, dict) or not isinstance(sums, dict):
        return None, "without a whole config.toml nothing tells what training held out"
    count = checked("validation", settings.get("validation", 0))
    if not count:
        return None, "training held out no images; to hold some out: train --validation 5000"
    if any(sums.get(part) != data.checksums[part] for part in ("train_images", "train_labels")):
        return None, "the images that training held out are not part of these data"
    images, labels = data.train
    end = checked("examples", settings.get("examples", 0)) or len(labels)
    images, labels = images[:end], labels[:end]
    if count >= len(labels):
        raise ConfigError(
            f"config.toml: validation {count} of {len(labels):,} training examples; "
            "the run held out fewer, restore its config.toml"
        )
    return Examples(images[-count:], labels[-count:]), ""


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
