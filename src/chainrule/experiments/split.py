"""Split of the training examples: those to train on, and those held out for validation.

Either is drawn by class, with the seed of the run, so that each class keeps its share of both; or
the order of the file decides: the first examples, the last of them held out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.core.arrays import Array, Int
from chainrule.core.errors import ConfigError
from chainrule.data.batches import Rows, count
from chainrule.data.dataset import Dataset
from chainrule.data.remarks import named
from chainrule.experiments.settings import BEFORE, IN_ORDER, STRATIFIED


@dataclass(frozen=True)
class Split:
    """Split: which training examples of the data are trained on, and which are held out."""

    train: Rows
    validation: Rows | None


def kind_of(chosen: str, data: Dataset) -> str:
    """Kind of split: the chosen one; by default in-order for published data, which are mixed."""
    return chosen or (IN_ORDER if data.published else STRATIFIED)


def split(labels: Int[Array, " N"], settings: Mapping[str, Any]) -> Split:
    """Splits examples with these labels as `examples`, `validation`, `split` and `seed` say.

    Settings that a run of an earlier version lacks are what they were then. Raises ConfigError
    where nothing would be left to train on.
    """
    chosen = BEFORE | dict(settings)
    wanted, held_out = chosen["examples"] or len(labels), chosen["validation"]
    wanted = min(wanted, len(labels))
    if held_out >= wanted:
        raise ConfigError(f"validation {held_out} of {wanted:,} training examples: hold out fewer")
    if chosen["split"] == IN_ORDER:
        end = wanted - held_out
        return Split(slice(0, end), slice(end, wanted) if held_out else None)
    # The third stream: the first weights and the order of the epochs have the other two.
    rng = np.random.default_rng(chosen["seed"]).spawn(3)[2]
    everything = wanted == len(labels)
    rows = np.arange(wanted) if everything else np.flatnonzero(by_class(labels, wanted, rng))
    if not held_out:
        return Split(slice(0, wanted) if everything else rows, None)
    held = by_class(labels[rows], held_out, rng, spare=1)
    return Split(rows[~held], rows[held])


def by_class(
    labels: Int[Array, " N"], count: int, rng: np.random.Generator, *, spare: int = 0
) -> Array:
    """Mask of `count` examples drawn at random, each class in its share, rounded.

    A class keeps `spare` of its examples as long as others can give theirs, and gives at least one
    as long as there are so many to give.
    """
    _, where, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    drawn = np.zeros(len(labels), bool)
    for k, share in enumerate(_shares(sizes, count, spare)):
        drawn[rng.permutation(np.flatnonzero(where == k))[:share]] = True
    return drawn


def _shares(sizes: Int[Array, " K"], count: int, spare: int) -> Int[Array, " K"]:
    """Number to draw of each class, `count` in all: largest remainders, within the limits."""
    exact = count * sizes / sizes.sum()
    shares: Array
    most = np.maximum(sizes - spare, 0)
    if most.sum() < count:
        most = sizes
    least = np.minimum(most, 1) if np.count_nonzero(most) <= count else np.zeros_like(sizes)
    shares = np.clip(np.floor(exact).astype(np.int64), least, most)
    while (short := count - int(shares.sum())) != 0:
        step = 1 if short > 0 else -1
        free = shares < most if short > 0 else shares > least
        wanting = np.where(free, step * (exact - shares), -np.inf)
        shares[int(np.argmax(wanting))] += step
    return shares


def remarks(split: Split, labels: Int[Array, " N"], classes: Sequence[str]) -> list[str]:
    """Warnings about classes that are there, but not trained on, or not held out."""
    there = np.unique(labels)
    parts = [(split.train, "to train on"), (split.validation, "held out for validation")]
    return [
        f"warning: {named(missing, classes)} is not among the {count(rows):,} examples {what}; "
        "ask for more of them (--examples, --validation), or bring more of that class"
        for rows, what in parts
        if rows is not None and (missing := np.setdiff1d(there, labels[rows]).tolist())
    ]
