"""Pictures of a run: PNG files in its folder.

Everywhere pictures come last: the results are written, and told to whoever asked, before the first
is drawn, as drawing may fail, or take too long for whoever ends this process.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.data.dataset import Dataset
from chainrule.evaluation.assessment import Assessment
from chainrule.nn.model_file import Model
from chainrule.training.train import Epoch, never


def untold(_result: object) -> None:
    """Default listener for results, before their pictures are drawn: ignores them."""


PICTURES = ("curves", "confusion", "mistakes", "samples", "first_layer")

OF_IMAGES = ("mistakes", "samples", "first_layer")
"""Pictures of images, which a table does not have."""


def draw(
    folder: Path,
    model: Model,
    data: Dataset,
    found: Assessment,
    history: list[Epoch],
    *,
    of: str,
    stop: Callable[[], bool] = never,
) -> None:
    """Draws the five pictures of a run, PNG files in its folder; `of`: what the curves are of.

    `stop` is called before each picture; once it returns True no other is drawn.
    """
    # matplotlib is imported only when something is drawn.
    from chainrule.plots.confusion_matrix import confusion
    from chainrule.plots.examples import mistakes, samples
    from chainrule.plots.learning_curves import curves
    from chainrule.plots.style import save
    from chainrule.plots.weights import first_layer

    shape, classes = data.shape, data.classes
    images, labels, predicted = data.test.images, found.labels, found.predicted
    figures: tuple[Callable[[], Any], ...] = (
        lambda: curves(history, of=of),
        lambda: confusion(found.confusion, classes),
        lambda: mistakes(
            images, labels, predicted=predicted, shape=shape, classes=classes,
            confidence=found.confidence,
        ),
        lambda: samples(images, labels, predicted=predicted, shape=shape, classes=classes),
        lambda: first_layer(model.members[0].W[0], shape=shape),
    )  # fmt: skip
    for name, figure in zip(PICTURES, figures, strict=True):
        if stop():
            return
        if data.schema and name in OF_IMAGES:
            continue
        save(figure(), folder / f"{name}.png")
