"""Losses by the kind of target they take, and targets for them."""

from __future__ import annotations

import numpy as np

from chainrule.core.arrays import Array
from chainrule.nn.losses import LOSSES

OF_LABELS = [name for name, row in LOSSES.items() if row.labels]
OF_VALUES = [name for name, row in LOSSES.items() if row.values]


def values_for(
    loss: str, shape: tuple[int, int], rng: np.random.Generator, dtype: type = np.float64
) -> Array:
    """Values such as the loss takes: some 0 and some 1, counts, or any."""
    values = rng.normal(0, 2, shape)
    if loss == "poisson":
        values = rng.poisson(2.0, shape)
    elif loss == "sigmoid-cross-entropy":
        values = rng.integers(0, 2, shape)
        values[0] = values[0] / 2
    return values.astype(dtype)
