"""Robustness: accuracy on corrupted copies of the test images, `chainrule evaluate --corrupted`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.data.corruptions import CORRUPTIONS, SEVERITIES
from chainrule.data.dataset import Dataset
from chainrule.nn.model_file import Model

SEED = 0
"""Seed of the corruptions, not the run's: every network is measured on the same copies."""


@dataclass(frozen=True)
class Robustness:
    """Accuracies on corrupted copies of the same images, 0..1."""

    images: int
    clean: float
    accuracy: dict[str, tuple[float, ...]]
    """By corruption, severities 1 to 5."""

    def mean(self, corruption: str) -> float:
        """Mean over the severities of one corruption."""
        return float(np.mean(self.accuracy[corruption]))

    @property
    def overall(self) -> float:
        """Mean over all corruptions and severities."""
        return float(np.mean(list(self.accuracy.values())))

    def as_json(self) -> dict[str, Any]:
        """All accuracies and their means."""
        return {
            "images": self.images,
            "clean": self.clean,
            "corruptions": {
                name: {"severities": list(row), "mean": self.mean(name)}
                for name, row in self.accuracy.items()
            },
            "mean": self.overall,
        }


def corrupted(model: Model, dataset: Dataset) -> Robustness:
    """Accuracy of a model on the test images and on 40 corrupted copies of each.

    A non-finite output, as a damaged model may give, counts as wrong.
    """
    dataset.check_images("--corrupted")
    images, labels = dataset.test
    return Robustness(
        images=len(labels),
        clean=_accuracy(model, images, labels),
        accuracy={
            name: tuple(
                _accuracy(model, copies(images, dataset.shape, name, severity), labels)
                for severity in SEVERITIES
            )
            for name in CORRUPTIONS
        },
    )


def copies(
    images: Float[Array, "N pixels"], shape: tuple[int, int], corruption: str, severity: int
) -> Float[Array, "N pixels"]:
    """The corrupted copies to measure on; images (N, h*w) in 0..1."""
    return CORRUPTIONS[corruption](images, shape, severity, np.random.default_rng(SEED))


def _accuracy(model: Model, images: Float[Array, "N n"], labels: Int[Array, " N"]) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        probabilities = model.predict_proba(images)
    finite = np.isfinite(probabilities).all(axis=1)
    return float(np.mean((probabilities.argmax(axis=1) == labels) & finite))
