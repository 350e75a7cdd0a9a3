"""Loss buffers: the memory a loss writes into, and the one place where losses are averaged."""

from __future__ import annotations

from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.nn.targets import check_target, check_weights


class Buffers:
    """Buffers a loss writes into, for one batch size: allocated once, used at every step."""

    def __init__(self, examples: int, outputs: int, dtype: Any) -> None:
        self.dlogits = np.zeros((examples, outputs), dtype)
        self.targets = np.zeros((examples, outputs), dtype)
        self.scratch = np.zeros((examples, outputs), dtype)
        self.row = np.zeros((examples, 1), dtype)

    @cached_property
    def more(self) -> Float[Array, "N K"]:
        """A fourth matrix, for a loss that needs one."""
        return np.zeros_like(self.scratch)


Weights: TypeAlias = Float[Array, " N"] | None


def weighed(weights: Weights, *terms: Float[Array, "N _"]) -> int | float:
    """Multiplies the rows of each matrix by their weights; what to divide their sums by.

    That is the sum of weights, N without any. Where all weights are 0 so are all sums: then it is
    1, and a mean over nothing is 0.
    """
    if weights is None:
        return len(terms[0])
    for term in terms:
        np.multiply(term, weights[:, None], out=term)
    return total(weights) or 1.0


def total(terms: Array) -> float:
    """The sum of all entries."""
    return float(np.add.reduce(terms, axis=None))


def checked(
    outputs: Array,
    target: Array,
    weights: Array | None,
    *,
    labels: bool = True,
    values: tuple[float, float] | None = None,
) -> Buffers:
    """New buffers, for a target and weights that were checked, see `targets.check_target`."""
    examples, width = outputs.shape
    if len(target) != examples:
        noun = "labels" if target.ndim == 1 else "rows of values"
        raise ValueError(f"{len(target)} {noun} for {examples} rows of logits: give one a row")
    check_target(target, width, labels=labels, values=values)
    if weights is not None:
        check_weights(weights, examples)
    return Buffers(examples, width, outputs.dtype)
