"""Accuracy on synthetic photos of the test images: `chainrule evaluate --photos`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.errors import DataError
from chainrule.core.statistics import wilson_interval
from chainrule.data.dataset import DIGITS, Dataset
from chainrule.digits.ink import LEAST_CONTRAST
from chainrule.digits.preprocess import find
from chainrule.digits.synthetic import photo_of_one, photo_of_row
from chainrule.nn.preprocessing import MNIST, Preprocessing

SEED = 0
"""Seed of the photos, not the run's: every network is measured on the same ones."""
PHOTOS, ROWS, IN_A_ROW = 1000, 100, 7
"""Photos of one digit, photos of a row of digits, and how many a row has: a phone number."""
Predict: TypeAlias = Callable[[Array], Array]
"""Images (N, h*w) -> probabilities (N, 10)."""


@dataclass(frozen=True)
class Readings:
    """Results on synthetic photos: found and read, single digits and rows."""

    photos: int
    right: int
    """Photos of one digit on which that digit was read, and nothing else."""
    found: int
    """Photos of one digit on which one digit was found, read correctly or not."""
    rows: int
    rows_right: int
    """Photos of a row on which all digits were read, in their order, and nothing else."""
    rows_found: int
    """Photos of a row on which the right number of digits was found, all in one line."""
    digits: int
    """Test images that the photos were made of; of fewer than there are photos, some repeat."""

    @property
    def accuracy(self) -> float:
        """Fraction of the photos of one digit that were read correctly, 0..1."""
        return self.right / self.photos

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the accuracy."""
        return wilson_interval(self.right, self.photos)

    def as_json(self) -> dict[str, Any]:
        """Everything."""
        return {
            "photos": self.photos,
            "accuracy": self.accuracy,
            "interval": self.interval,
            "one_digit_found": self.found,
            "test_images": self.digits,
            "rows": self.rows,
            "rows_right": self.rows_right,
            "rows_interval": wilson_interval(self.rows_right, self.rows),
            "rows_with_all_digits_found": self.rows_found,
        }


def read_photos(
    predict: Predict,
    dataset: Dataset,
    *,
    form: Preprocessing | None = MNIST,
    photos: int = PHOTOS,
    rows: int = ROWS,
) -> Readings:
    """Tests a network on synthetic photos of test images: one digit each, and rows of seven.

    form is that of its training images. Raises DataError unless they are digits on one background.
    """
    dataset.check_images("--photos")
    if form is None or form.background is None or dataset.classes != DIGITS:
        raise DataError(
            f"{dataset.source}: photos are made of digits on one background, not of "
            f"{len(dataset.classes)} classes of {dataset.shape[0]}x{dataset.shape[1]} without; "
            "leave --photos out"
        )
    images, labels = dataset.test
    inks = form.amount(images).reshape(-1, *dataset.shape)
    if form.background not in (0, 1):
        inks[inks < LEAST_CONTRAST] = 0  # the noise of the background
    rng = np.random.default_rng(SEED)
    right = found = rows_right = rows_found = 0
    for i in rng.choice(len(images), photos, replace=photos > len(images)):
        read = _read(predict, photo_of_one(inks[i], rng).picture, form, dataset.shape)
        found += len(read) == 1
        right += read == [[labels[i]]]
    for _ in range(rows):
        of = rng.integers(len(images), size=IN_A_ROW)
        read = _read(predict, photo_of_row(inks[of], rng).picture, form, dataset.shape)
        rows_found += [len(line) for line in read] == [IN_A_ROW]
        rows_right += read == [labels[of].tolist()]
    return Readings(photos, right, found, rows, rows_right, rows_found, len(images))


def _read(
    predict: Predict, picture: Array, form: Preprocessing, shape: tuple[int, int]
) -> list[list[int]]:
    """Digits of a picture, line by line; an empty list where none is found."""
    try:
        digits = find(picture, form, shape)
    except DataError:
        return []
    lines: list[list[int]] = [[] for _ in range(digits[-1].line + 1)]
    pixels: Float[Array, "n P"] = np.stack([digit.pixels.ravel() for digit in digits])
    predicted: Int[Array, " n"] = predict(pixels).argmax(axis=1)
    for digit, label in zip(digits, predicted.tolist(), strict=True):
        lines[digit.line].append(label)
    return lines
