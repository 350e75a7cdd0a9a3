"""Weight initializers: random weights scaled so that signals neither vanish nor explode.

Each function is (rng, fan_in, fan_out) -> W (fan_in, fan_out), float64. The variances follow from
requiring that Z, or the gradient, keeps its variance from layer to layer: docs/derivation.md,
section 6. Biases start at zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.tables import Table

Weights: TypeAlias = Float[Array, "fan_in fan_out"]


def he(rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """Normal, variance 2 / fan_in: for ReLU and its kin (He et al. 2015, equation 10)."""
    return rng.normal(0, np.sqrt(2 / fan_in), (fan_in, fan_out))


def glorot(rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """Uniform, variance 2 / (fan_in + fan_out): for tanh (Glorot and Bengio 2010, equation 16)."""
    limit = np.sqrt(6 / (fan_in + fan_out))
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def lecun(rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """Normal, variance 1 / fan_in (LeCun et al. 1998, "Efficient BackProp", section 4.6)."""
    return rng.normal(0, np.sqrt(1 / fan_in), (fan_in, fan_out))


def normal(rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """Normal, standard deviation 0.1, regardless of the layer's size."""
    return rng.normal(0, 0.1, (fan_in, fan_out))


def uniform(rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """Uniform in -0.05..0.05, regardless of the layer's size."""
    return rng.uniform(-0.05, 0.05, (fan_in, fan_out))


def zeros(rng: np.random.Generator, fan_in: int, fan_out: int) -> Weights:
    """All zero. In a hidden layer all units then stay identical."""
    del rng
    return np.zeros((fan_in, fan_out))


INITIALIZERS: Table[Callable[[np.random.Generator, int, int], Weights]] = Table(
    "initializer",
    {
        "he": he,
        "glorot": glorot,
        "lecun": lecun,
        "normal": normal,
        "uniform": uniform,
        "zeros": zeros,
    },
)
