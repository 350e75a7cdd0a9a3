"""Labels as numbers: which classes they stand for, where no one has named them.

0 to 9 are the digits. Other numbers, such as 1 to 26 for letters, are classes of their own if none
between the lowest, 0 or 1, and the highest is missing; their names are then the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chainrule.core.arrays import Array, Int
from chainrule.core.errors import DataError
from chainrule.data.dataset import MOST_CLASSES, Part

NUMBERS_OF_DIGITS = 10


class Labelled(NamedTuple):
    """Two parts with labels 0 .. K - 1, the names of these K classes, and a sentence, or none."""

    train: Part
    test: Part | None
    classes: tuple[str, ...]
    note: str


def are_numbered(values: Array) -> bool:
    """True if these numbers are 0..K or 1..K, without a gap, each at least twice."""
    if not (values == np.rint(values)).all() or not 0 <= values.min() <= 1:
        return False
    counts = np.unique(values, return_counts=True)[1]
    span = int(values.max()) - int(values.min()) + 1
    return bool(1 < len(counts) == span <= MOST_CLASSES and counts.min() > 1)


def first_number(classes: Sequence[str]) -> int | None:
    """The number that names the first of these classes, if consecutive numbers name them all."""
    if not classes or not classes[0].isdecimal() or len(classes[0]) > 3:
        return None
    first = int(classes[0])
    return first if [*classes] == [str(first + k) for k in range(len(classes))] else None


def label(
    train: Part, test: Part | None, given: tuple[str, ...], default: tuple[str, ...], where: str
) -> Labelled:
    """Labels 0 .. K - 1 from the numbers in the files.

    Classes that are named by consecutive numbers, as 1 to 26, have these as labels; the labels of
    others are 0 .. K - 1. Raises DataError for a label that is none of the classes.
    """
    names, note = given or default, ""
    highest = max(int(part.labels.max()) for part in (train, test) if part is not None)
    if not given and highest >= len(default) and are_numbered(train.labels):
        low, high = int(train.labels.min()), int(train.labels.max())
        names = tuple(str(number) for number in range(low, high + 1))
        note = (
            f"the labels are {low}..{high}: {len(names)} classes, named by these numbers "
            "(or --classes)"
        )
    first = first_number(names) or 0
    for which, part in (("training", train), ("test", test)):
        if part is not None:
            here = f"{where}, {which} part" if test is not None else where
            check_labels(part.labels, first, first + len(names), here)
    if first:
        train = train._replace(labels=train.labels - first)
        test = test and test._replace(labels=test.labels - first)
    return Labelled(train, test, names, note)


def check_labels(labels: Int[Array, " N"], first: int, end: int, where: str) -> None:
    """Raises DataError for a label outside first .. end - 1."""
    wrong = np.flatnonzero((labels < first) | (labels >= end))
    if wrong.size:
        row = int(wrong[0])
        shift = (
            "; the labels begin at 1: leave --classes out, or name label 0 too"
            if labels.min() == 1 and labels.max() == end and not first
            else ""
        )
        raise DataError(
            f"{where}, example {row + 1:,}: label {labels[row]} is not one of the classes "
            f"{first}..{end - 1}; correct it, or name all classes (--classes){shift}."
        )
