"""Article 1, "Deep Neural Network with MNIST Digit Recognition Example from Scratch", P. Patil.

Toy data, and 51 epochs of batches of 10 on pixels 0..255.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from chainrule.articles.article import Ablation, Article, Break
from chainrule.articles.claims import OUTSIDE, Claim, exact, falling, inside
from chainrule.articles.running import Effort, Recorder, accuracy
from chainrule.core.arrays import Array
from chainrule.core.statistics import wilson_interval
from chainrule.data.dataset import Dataset
from chainrule.experiments.job import Job, prepare
from chainrule.experiments.recipes import RECIPES
from chainrule.nn.dense import Dense
from chainrule.nn.network import Network
from chainrule.nn.targets import one_hot
from chainrule.training.train import train

TOY_X = """
    0.22880349 0.19068802 0.88635967 0.7189259  0.53298338 0.8694621
    0.72423768 0.48208699 0.7560772  0.97473999 0.5083671  0.95849135
    0.49426336 0.51716733 0.34406231 0.96975023 0.25608847 0.40327522
"""
TOY_LABELS = "2 1 3 0 0 3"
TOY_Y = """
    0 0 0 1 1 0
    0 1 0 0 0 0
    1 0 0 0 0 0
    0 0 1 0 0 1
"""
"""Random data after np.random.seed(95), three inputs, four classes, six examples."""

EPOCH_COSTS = {
    0: 119429.14804683565,
    5: 102128.37509302271,
    10: 90151.75500527128,
    15: 86009.41961305328,
    20: 88218.24177992699,
    25: 90432.20939203199,
    30: 92974.92502732007,
    35: 93986.34837736617,
    40: 92380.93127681084,
    45: 90417.26686598927,
    50: 101933.2601655828,
}
"""Cost of an epoch, summed over its 60,000 examples and 10 classes."""

FIRST_TEN_PREDICTED = "3 0 4 1 4 6 1 3 1 4"
FIRST_TEN_ACTUAL = "5 0 4 1 9 2 1 3 1 4"
"""The first ten training images after training."""


def claims(data: Dataset, effort: Effort, recorder: Recorder) -> Iterator[Claim]:
    """Claims on the toy data, the toy network, the cost of each fifth epoch, ten predictions."""
    random = np.random.RandomState(95)
    X, labels = random.rand(3, 6), random.randint(4, size=6)
    yield exact("toy data X (3 x 6) after seed 95", TOY_X, X)
    yield exact("toy labels", TOY_LABELS, labels)
    yield exact("toy labels, one-hot", TOY_Y, one_hot(labels, 4).T)
    yield _toy_cost_falls(random, X.T, labels)
    settings = RECIPES["sigmoid-128-64"]
    if effort.quick:
        # Nothing to compare with, but a curve to look at.
        recorder.train("quick, 200 images", replace(settings, epochs=10, examples=200), data)
        return
    one_epoch, seeds = replace(settings, epochs=1), range(effort.seeds or ARTICLE.seeds)
    recorder.plan(one_epoch, data, runs=len(seeds))
    recorder.plan(settings, data)
    first = []
    for seed in seeds:
        job = prepare(replace(one_epoch, seed=seed), data)
        epochs = recorder.run(f"first epoch, seed {seed}", job)
        first += [epoch.loss * len(job.train[1]) for epoch in epochs]
    yield inside(
        "cost of the first epoch", EPOCH_COSTS[0], first, digits=0,
        note="chaotic with pixels 0..255: rounding alone moves it by thousands",
    )  # fmt: skip
    job = prepare(settings, data)
    epochs = recorder.run(f"seed {settings.seed}", job)
    costs = [epoch.loss * len(job.train[1]) for epoch in epochs]
    for epoch, cost in EPOCH_COSTS.items():
        if epoch:
            yield Claim(
                f"cost of epoch {epoch}", f"{cost:.0f}", f"{costs[epoch]:.0f}",
                "within" if abs(costs[epoch] / cost - 1) < 0.5 else OUTSIDE,
                "one run, chaotic: held to 50 %",
            )  # fmt: skip
    yield _first_ten(job)


def _toy_cost_falls(random: np.random.RandomState, X: Array, labels: Array) -> Claim:
    """Claim on the toy network, [3, 5, 5, 4], weights uniform in 0..1 from the same stream."""
    layers = [Dense(3, 5, "sigmoid"), Dense(5, 5, "sigmoid"), Dense(5, 4)]
    network = Network(layers, np.float64, link="sigmoid")
    for layer, W in zip(layers, network.W, strict=True):
        W[...] = random.rand(layer.fan_out, layer.fan_in).T
    losses = [
        epoch.loss
        for epoch in train(
            network, (X, labels), rng=None, epochs=100, batch_size=6, optimizer="sgd",
            learning_rate=0.1, loss="sigmoid-cross-entropy",
        )
    ]  # fmt: skip
    return falling("toy cost over 100 epochs", losses)


def _first_ten(job: Job) -> Claim:
    """Claim on ten digits: our accuracy on all images lies in the interval of the article's ten."""
    theirs = FIRST_TEN_PREDICTED.split()
    actual = FIRST_TEN_ACTUAL.split()
    ours = [str(digit) for digit in job.network.predict(job.train[0][:10])]
    right = sum(a == b for a, b in zip(theirs, actual, strict=True))
    low, high = (100 * share for share in wilson_interval(right, len(actual)))
    measured = accuracy(job, "train")
    return Claim(
        "first ten images after training", " ".join(theirs), " ".join(ours),
        "within" if low <= measured <= high else OUTSIDE,
        f"{right} of 10 leave room for {low:.0f} to {high:.0f} %; ours on all: {measured:.1f} %",
    )  # fmt: skip


ARTICLE = Article(
    number=1,
    recipe="sigmoid-128-64",
    title="Deep Neural Network with MNIST Digit Recognition Example from Scratch, P. Patil",
    claims=claims,
    seeds=5,
    ablations={
        "unscaled-pixels": Ablation("pixels 0..255 saturate the units", {"pixel_divisor": 255}),
        "wide-weights": Ablation("N(0, 1) weights", {"draw": "", "initializer": "glorot"}),
        "file-order": Ablation("the same order in each epoch", {"shuffle": True}),
    },
    breaks=(
        Break(
            "--learning-rate 100 --epochs 2",
            "each step overshoots by far: the loss stays near 1,000, and the network guesses",
            at_most=20.0,
        ),
        Break(
            "--activation relu --epochs 2",
            "no sigmoid bounds pixels up to 255 times N(0, 1) weights: the loss begins near 1e33, "
            "and the network guesses",
            at_most=20.0,
        ),
        Break(
            "--l2 1 --epochs 2",
            "the penalty outweighs the data, all weights shrink to nothing: the network guesses",
            at_most=20.0,
        ),
    ),
)
