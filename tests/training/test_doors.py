"""Rules at every door: what the command line refuses, the library refuses too, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.core.errors import ConfigError
from chainrule.data.dataset import Dataset, Examples
from chainrule.experiments.job import inputs, prepare
from chainrule.experiments.settings import Settings
from chainrule.nn.losses import LOSSES
from chainrule.nn.network import Network
from chainrule.training.evaluate import evaluate
from chainrule.training.train import train
from helpers.processes import answer

RNG = np.random.default_rng(0)
X, Y = RNG.random((60, 5), dtype=np.float32), np.arange(60) % 3


def network(**settings: Any) -> Network:
    return Network.dense([5, 4, 3], rng=np.random.default_rng(1), **settings)


def trained(of: Network | None = None, **settings: Any) -> object:
    return list(train(of or network(), (X, Y), rng=np.random.default_rng(2), **settings))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: evaluate(network(), (X, Y + 1)), r"label 3 .* is outside 0\.\.2"),
        (lambda: evaluate(network(), (X, Y - 1)), r"label -1 .* is outside 0\.\.2"),
        (lambda: evaluate(network(), (X, Y[:40])), "60 images and 40 labels: give one label an"),
        (lambda: evaluate(network(), (X[:, :4], Y)), r"layer 1 takes 5 inputs, so give \(N, 5\)"),
        (lambda: trained(network(batch_norm=True), batch_size=1), "batch_size 1: batch norm"),
        (lambda: trained(loss="mean-squared-error"), "compares probabilities, but the network"),
        (lambda: trained(patience=2), "patience 2 needs a validation set to measure"),
    ],
)
def test_what_cannot_be_right_is_refused_in_words(act: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        act()


def test_a_loss_of_probabilities_trains_the_network_that_gives_them() -> None:
    row = LOSSES["mean-squared-error"]
    assert trained(network(output=row.output, link=row.link), loss="mean-squared-error", epochs=1)


USUAL = """
import json
import numpy as np
import chainrule as cr

rng = np.random.default_rng(0)
X, y = rng.random((60, 5), dtype=np.float32), np.arange(60) % 3
def network():
    return cr.Network.dense([5, 4, 3], rng=np.random.default_rng(1))
tries = {
    "half a seed": lambda: list(cr.train(network(), (X, y), rng=0.5)),
    "a RandomState": lambda: list(cr.train(network(), (X, y), rng=np.random.RandomState(0))),
    "a text for the weights": lambda: cr.Network.dense([5, 4, 3], rng="0"),
    "a list of images": lambda: list(cr.train(network(), (X.tolist(), y), rng=rng)),
    "a list of labels": lambda: list(cr.train(network(), (X, y.tolist()), rng=rng)),
    "a list of weights": lambda: list(cr.train(network(), (X, y, [1.0] * 60), rng=rng)),
    "no labels": lambda: cr.train(network(), (X,), rng=rng),
    "a truth, at once": lambda: cr.train(network(), (X, y), rng=True),
    "bytes": lambda: cr.train(network(), ((255 * X).astype(np.uint8), y), rng=rng),
    "a list to evaluate on": lambda: cr.evaluate(network(), (X.tolist(), y)),
}
found = {}
for name, act in tries.items():
    try:
        act()
    except ValueError as error:
        found[name] = str(error)
print(json.dumps(found))
"""


def test_usual_inputs_of_other_libraries_are_refused_with_the_remedy() -> None:
    # In a process of its own: here the checks of shapes would refuse them first.
    found = answer(USUAL)
    generator = "give a seed, 0 or more, or a generator, numpy.random.default_rng(0)"
    for name in ("half a seed", "a truth, at once", "a RandomState", "a text for the weights"):
        assert generator in found[name]
    for name in ("a list of images", "a list to evaluate on"):
        assert found[name] == "images are of type list: give a NumPy array, np.asarray(images)"
    assert found["a list of labels"].startswith("labels are of type list")
    assert found["a list of weights"].startswith("weights are of type list")
    assert found["bytes"].endswith("divide them, images / np.float32(255)")
    assert found["no labels"].startswith("the examples are 1 arrays: give (inputs, target), or")


def data(images: np.ndarray) -> Dataset:
    examples = Examples(images.astype(np.float32), np.arange(len(images)) % 2)
    return Dataset("own", examples, examples, ("a", "b"), (1, images.shape[1]), "own.csv", {})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"patience": 2}, "patience 2 needs a validation set"),
        ({"batch_norm": True, "batch_size": 1}, "batch_size 1: batch normalisation"),
    ],
)
def test_a_job_is_refused_before_anything_is_claimed(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        prepare(Settings(layers=(4, 3, 2), **settings), data(RNG.random((30, 4))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("divisor", [1, 255, 256])
def test_fractions_are_not_rounded_to_bytes_and_bytes_are_exact(dtype: str, divisor: int) -> None:
    settings = Settings(dtype=dtype, pixel_divisor=divisor)
    fractions = RNG.random((50, 4)).astype(np.float32)
    seen = inputs(fractions, settings)
    np.testing.assert_allclose(seen, fractions.astype(np.float64) * (255 / divisor), rtol=1e-6)
    whole = np.arange(256).reshape(64, 4)
    exact = (whole / divisor).astype(dtype)
    np.testing.assert_array_equal(inputs((whole / 255).astype(np.float32), settings), exact)
