"""Pictures of a run: PNG files in its folder."""

from __future__ import annotations

from pathlib import Path

from chainrule.data.dataset import Dataset
from chainrule.evaluation.assessment import Assessment
from chainrule.nn.model_file import Model
from chainrule.training.train import Epoch

PICTURES = ("curves", "confusion", "mistakes", "samples", "first_layer")


def draw(
    folder: Path, model: Model, data: Dataset, found: Assessment, history: list[Epoch], *, of: str
) -> None:
    """Draws the five pictures of a run, PNG files in its folder; `of`: what the curves are of."""
    # matplotlib is imported only when something is drawn.
    from chainrule.plots.confusion import confusion
    from chainrule.plots.curves import curves
    from chainrule.plots.examples import mistakes, samples
    from chainrule.plots.style import save
    from chainrule.plots.weights import first_layer

    shape, classes = data.shape, data.classes
    images, labels, predicted = data.test.images, found.labels, found.predicted
    figures = (
        curves(history, of=of),
        confusion(found.confusion, classes),
        mistakes(
            images, labels, predicted=predicted, shape=shape, classes=classes,
            confidence=found.confidence,
        ),
        samples(images, labels, predicted=predicted, shape=shape, classes=classes),
        first_layer(model.members[0].W[0], shape=shape),
    )  # fmt: skip
    for name, figure in zip(PICTURES, figures, strict=True):
        save(figure, folder / f"{name}.png")
