"""Remarks on data: what a person should know before training on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.data.dataset import Dataset

MOST_NAMED = 6
"""Most classes named in a sentence."""


def named(labels: Sequence[int], classes: Sequence[str]) -> str:
    """Names of these classes, for the beginning of a sentence in the singular.

    >>> named([0, 2], ["ant", "bee", "cat"])
    'each of the classes ant, cat'
    """
    names = [classes[label] for label in labels[:MOST_NAMED]]
    if len(labels) == 1:
        return f"class {names[0]}"
    more = f" and {len(labels) - MOST_NAMED} more" if len(labels) > MOST_NAMED else ""
    return f"each of the classes {', '.join(names)}{more}"


def absent(data: Dataset) -> list[str]:
    """Sentences about classes without examples to train on, and without any in the test part."""
    parts = {"training": data.train, "test": data.test}
    if data.train is data.test:
        del parts["training"]
    every = np.arange(len(data.classes))
    return [
        f"{named(missing, data.classes)} has no {which} example"
        for which, part in parts.items()
        if (missing := np.setdiff1d(every, part.labels).tolist())
    ]
