"""Ablations: an article's run with one of its mistakes corrected, and the gain in accuracy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from chainrule.articles.article import Ablation, Article
from chainrule.articles.running import Effort, Recorder, accuracy
from chainrule.core.errors import ConfigError
from chainrule.core.tables import Table
from chainrule.data.dataset import Dataset
from chainrule.experiments.recipes import RECIPES
from chainrule.experiments.settings import Settings


@dataclass(frozen=True)
class Worth:
    """Result of an ablation: test accuracy with and without the mistake, 0..1, mean over seeds."""

    fix: str
    mistake: str
    as_published: float
    fixed: float
    seeds: int
    epochs: int
    sd: float | None
    """Standard deviation over the seeds of what the correction gains; None for a single seed."""


def ablation_of(article: Article, quirk: str) -> Ablation:
    """Ablation of this name. Raises ConfigError for a mistake that the article does not make."""
    try:
        return Table(f"quirk of {article.recipe}", dict(article.ablations))[quirk]
    except ValueError as error:
        raise ConfigError(str(error)) from None


def worth_of(
    article: Article, quirk: str, data: Dataset, effort: Effort, recorder: Recorder
) -> Worth:
    """Trains the article's network with and without one of its mistakes."""
    ablation = ablation_of(article, quirk)
    before = RECIPES[article.recipe]
    if effort.quick:
        before = replace(before, epochs=max(before.epochs // 50, 1))
    after = replace(before, **ablation.changes)
    seeds = effort.seeds or article.seeds
    recorder.plan(before, data, runs=2 * seeds)
    published = _accuracies(before, data, seeds, "as published", recorder)
    fixed = _accuracies(after, data, seeds, f"without {quirk}", recorder)
    return Worth(
        quirk,
        ablation.mistake,
        as_published=float(np.mean(published)),
        fixed=float(np.mean(fixed)),
        seeds=seeds,
        epochs=before.epochs,
        sd=float(np.std(np.subtract(fixed, published), ddof=1)) if seeds > 1 else None,
    )


def _accuracies(
    settings: Settings, data: Dataset, seeds: int, what: str, recorder: Recorder
) -> list[float]:
    found = []
    for seed in range(settings.seed, settings.seed + seeds):
        job = recorder.train(f"{what}, seed {seed}", replace(settings, seed=seed), data)
        found.append(accuracy(job, "test") / 100)
    return found
