"""What each of the articles' mistakes costs: the same run, with one of them put right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.articles.running import SEEDS, Effort, Say, accuracy, running
from chainrule.core.tables import Table
from chainrule.data.dataset import Dataset
from chainrule.experiments.job import prepare
from chainrule.experiments.recipes import RECIPES
from chainrule.experiments.settings import Settings


@dataclass(frozen=True)
class Fix:
    """One of an article's mistakes, corrected."""

    mistake: str
    changes: dict[str, Any]
    """Settings that put it right."""


FIXES: Table[dict[str, Fix]] = Table(
    "article",
    {
        "sigmoid-128-64": {
            "unscaled-pixels": Fix("pixels 0..255 saturate the units", {"pixel_divisor": 255}),
            "wide-weights": Fix("N(0, 1) weights", {"draw": "", "initializer": "glorot"}),
            "file-order": Fix("the same order in each epoch", {"shuffle": True}),
        },
        "tanh-16-16": {
            "global-maximum": Fix(
                "softmax shifted by the batch's maximum", {"loss": "softmax-cross-entropy"}
            ),
            "high-learning-rate": Fix(
                "a rate of 0.5 that overshoots at iteration 70, then 0.1",
                {"learning_rate": 0.3, "schedule": "constant"},
            ),
            "narrow-weights": Fix("0.1 N(0, 1) weights", {"draw": "", "initializer": "glorot"}),
        },
        "relu-45": {
            "divided-by-256": Fix("pixels over 256", {"pixel_divisor": 255}),
            "narrow-weights": Fix("0.1 N(0, 1) weights", {"draw": "he-normal"}),
            "low-learning-rate": Fix("a rate of 0.0075", {"learning_rate": 0.1}),
        },
        "sigmoid-72-36": {
            "scalar-bias-gradient": Fix(
                "one bias gradient for a whole layer", {"scalar_bias_gradient": False}
            ),
            "unscaled-pixels": Fix("pixels 0..255 saturate the units", {"pixel_divisor": 255}),
            "unshifted-softmax": Fix("exp of raw logits", {"loss": "softmax-cross-entropy"}),
        },
        "relu-50-50-50": {
            "unshifted-softmax": Fix("exp of raw logits", {"loss": "softmax-cross-entropy"}),
            "low-learning-rate": Fix("a rate of 0.005", {"learning_rate": 0.1}),
        },
    },
)
"""article -> quirk -> what puts it right."""


@dataclass(frozen=True)
class Worth:
    """What correcting a mistake is worth: accuracy on test, 0..1, mean over the seeds."""

    fix: str
    mistake: str
    as_published: float
    fixed: float
    seeds: int
    epochs: int


def worth_of(name: str, quirk: str, data: Dataset, effort: Effort, say: Say) -> Worth:
    """Trains the article's network with and without one of its mistakes.

    Raises ValueError for a quirk that the article does not have.
    """
    fix = Table(f"quirk of {name}", FIXES[name])[quirk]
    before = RECIPES[name]
    if effort.quick:
        before = replace(before, epochs=max(before.epochs // 50, 1))
    after = replace(before, **fix.changes)
    seeds = effort.seeds or SEEDS.get(name, 1)
    return Worth(
        quirk,
        fix.mistake,
        as_published=_mean_accuracy(before, data, seeds, f"{name} as published", say),
        fixed=_mean_accuracy(after, data, seeds, f"{name} without {quirk}", say),
        seeds=seeds,
        epochs=before.epochs,
    )


def _mean_accuracy(settings: Settings, data: Dataset, seeds: int, what: str, say: Say) -> float:
    found = []
    for seed in range(settings.seed, settings.seed + seeds):
        say(f"{what}: {settings.epochs} epochs, seed {seed}")
        job = prepare(replace(settings, seed=seed), data)
        for _ in running(job, say):
            pass
        found.append(accuracy(job, "test") / 100)
    return float(np.mean(found))
