"""Initial weights, the same numbers for every contender."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from benchmarks.speed.work import Work


def first_weights(work: Work) -> list[tuple[np.ndarray, np.ndarray]]:
    """One (W (fan_in, fan_out), b (fan_out,)) a layer, float32, from a fixed seed.

    He's normal distribution before ReLU, Glorot's uniform one before sigmoid; biases are zero.
    Raises KeyError for another activation.
    """
    rng = np.random.default_rng(0)
    draw = {"relu": _he, "sigmoid": _glorot}[work.activation]
    return [
        (draw(rng, fan_in, fan_out).astype(np.float32), np.zeros(fan_out, np.float32))
        for fan_in, fan_out in pairwise(work.widths)
    ]


def _he(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """Variance 2 / fan_in (He et al. 2015, equation 10)."""
    return rng.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out))


def _glorot(rng: np.random.Generator, fan_in: int, fan_out: int) -> np.ndarray:
    """Variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010, equation 16)."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out))
