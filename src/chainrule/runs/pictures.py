"""TODO."""

from __future__ import annotations

from pathlib import Path

from chainrule.data.dataset import Dataset
from chainrule.evaluation.assessment import Assessment
from chainrule.nn.model_file import Model
from chainrule.training.train import Epoch

PICTURES = ("curves", "confusion", "mistakes", "samples", "first_layer")


def draw(
    folder: Path, model: Model, data: Dataset, found: Assessment, history: list[Epoch]
) -> None:
    """The five pictures of a run, PNG files in its folder."""
    from chainrule import plots

    shape, classes = data.shape, data.classes
    images, labels, predicted = data.test.images, found.labels, found.predicted
    figures = (
        plots.curves(history),
        plots.confusion(found.confusion, classes),
        plots.mistakes(
            images, labels, predicted=predicted, shape=shape, classes=classes,
            confidence=found.confidence,
        ),
        plots.samples(images, labels, predicted=predicted, shape=shape, classes=classes),
        plots.first_layer(model.members[0].W[0], shape=shape),
    )  # fmt: skip
    for name, figure in zip(PICTURES, figures, strict=True):
        plots.save(figure, folder / f"{name}.png")
