"""Views of new data: would a network read them better inverted, turned, transposed or brighter?

Data from elsewhere often hold the same pictures in another form. It shows in the accuracy: the
network, asked on some of them in each form, tells which one it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.statistics import mcnemar
from chainrule.data.batches import draw_rows
from chainrule.data.dataset import Dataset
from chainrule.nn.model_file import Model

ASKED = 1000
"""Most examples looked at."""
GAIN, CHANCE = 0.1, 1e-4
"""Least gain in accuracy that is worth a word, and the p-value that rules out chance."""


def _stretched(images: Array) -> Array:
    low, high = images.min(), images.max()
    stretched: Array = (images - low) / np.maximum(high - low, np.float32(1e-6))
    return stretched


VIEWS: dict[str, Callable[[Array], Array]] = {
    "inverted": lambda images: 1 - images,
    "turned a quarter to the left": lambda images: np.rot90(images, 1, (1, 2)),
    "upside down": lambda images: np.rot90(images, 2, (1, 2)),
    "turned a quarter to the right": lambda images: np.rot90(images, -1, (1, 2)),
    "transposed": lambda images: images.transpose(0, 2, 1),
    "mirrored": lambda images: images[:, :, ::-1],
    "scaled to another range": _stretched,
}
"""What data may look like -> the view (N, h, w) that undoes it."""
TURNING = ("turned a quarter to the left", "turned a quarter to the right", "transposed")
"""Views that exchange height and width."""
UNDONE = {
    "turned a quarter to the left": "turned a quarter to the right",
    "turned a quarter to the right": "turned a quarter to the left",
}
"""Views that another one undoes; the rest undo themselves."""


def looks(model: Model, data: Dataset) -> str:
    """What the test images look like beside those of training, in a sentence; empty if alike."""
    if data.schema:
        return ""
    images, labels = data.test
    chosen = draw_rows(len(labels), ASKED)
    pictures, labels = images[chosen].reshape(-1, *data.shape), labels[chosen]

    def right(view: Array) -> Array:
        rows = np.ascontiguousarray(view).reshape(len(view), -1)
        answers: Array = model.predict_proba(rows).argmax(axis=1) == labels
        return answers

    as_they_are = right(pictures)
    gains = {}
    for name, view in VIEWS.items():
        if name in TURNING and data.shape[0] != data.shape[1]:
            continue
        seen = right(view(pictures))
        lost, won = int((as_they_are & ~seen).sum()), int((seen & ~as_they_are).sum())
        if won - lost >= GAIN * len(labels) and mcnemar(lost, won) < CHANCE:
            gains[name] = float(seen.mean())
    if not gains:
        return ""
    best = max(gains, key=gains.__getitem__)
    return (
        f"these images look {UNDONE.get(best, best)} beside those of training: of "
        f"{len(labels):,}, {100 * as_they_are.mean():.1f} % are right as they are and "
        f"{100 * gains[best]:.1f} % when that is undone"
    )
