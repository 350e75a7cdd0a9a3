"""Our recipes learn: each reaches a stated accuracy on a few images, in a short version.

Measured on the last 10,000 training images, like all choices; the test images are not read.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.job import prepare, run
from chainrule.experiments.recipes import RECIPES
from chainrule.training.evaluate import evaluate

SHORT = {
    "fast": (8, 0.870, 0.945),
    "sprint": (4, 0.865, 0.930),
    "plain": (6, 0.870, 0.940),
    "accurate": (6, 0.900, 0.962),
    "record": (3, 0.790, 0.950),
    "t99": (6, 0.880, 0.958),
    "table": (5, 0.885, 0.925),
}
"""recipe -> (epochs, the accuracies that it must reach on 1,500 and on 6,000 images)"""


@pytest.mark.parametrize("images", [1500, pytest.param(6000, marks=pytest.mark.long)])
@pytest.mark.parametrize("recipe", SHORT)
def test_a_recipe_reaches_its_accuracy(recipe: str, images: int, mnist: Dataset) -> None:
    epochs, *accuracies = SHORT[recipe]
    least = accuracies[images > 1500]
    settings = replace(RECIPES[recipe], examples=images, epochs=epochs, validation=0)
    judges = Examples(*(part[-10_000:] for part in mnist.train))
    job = prepare(settings, mnist)
    for _ in run(job):
        pass
    _, accuracy = evaluate(job.network, judges)
    assert accuracy >= least


def test_each_of_our_own_recipes_has_a_short_version() -> None:
    own = {name for name, settings in RECIPES.items() if settings.optimizer != "sgd"}
    assert own == set(SHORT)
