"""Our recipes learn: each reaches a stated accuracy on a tenth of the images, in a short version.

Measured on the last 10,000 training images, like all choices; the test images are not read.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.job import prepare, run
from chainrule.experiments.recipes import RECIPES
from chainrule.training.evaluate import evaluate

IMAGES = 6000

SHORT = {
    "fast": (8, 0.945),
    "sprint": (4, 0.930),
    "plain": (6, 0.940),
    "accurate": (6, 0.962),
    "record": (3, 0.950),
    "t99": (6, 0.958),
}
"""recipe -> (epochs, the accuracy that it must reach on IMAGES images)"""


@pytest.mark.parametrize("recipe", SHORT)
def test_a_recipe_reaches_its_accuracy_on_6000_images(recipe: str, mnist: Dataset) -> None:
    epochs, least = SHORT[recipe]
    settings = replace(RECIPES[recipe], examples=IMAGES, epochs=epochs, validation=0)
    judges = Examples(*(part[-10_000:] for part in mnist.train))
    job = prepare(settings, mnist)
    for _ in run(job):
        pass
    _, accuracy = evaluate(job.network, judges)
    assert accuracy >= least


def test_each_of_our_own_recipes_has_a_short_version() -> None:
    own = {name for name, settings in RECIPES.items() if settings.optimizer != "sgd"}
    assert own == set(SHORT)
