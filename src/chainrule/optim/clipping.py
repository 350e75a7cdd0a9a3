"""Gradient clipping and the max-norm constraint, both by L2 norm."""

from __future__ import annotations

from math import sqrt

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.optim.optimizers import Vector


def clip(gradient: Vector, max_norm: float) -> float:
    """Clips `gradient` to the L2 norm `max_norm`, in place; returns its norm before.

    Source: Pascanu et al. 2013, algorithm 1.
    """
    norm = sqrt(float(np.dot(gradient, gradient)))
    if norm > max_norm:
        np.multiply(gradient, max_norm / norm, out=gradient)
    return norm


def shorten_columns(W: Float[Array, "fan_in fan_out"], max_norm: float) -> None:
    """Max-norm constraint: scales each unit's weights, a column of W, to at most `max_norm`.

    In place. Source: Srebro and Shraibman 2005; Srivastava et al. 2014, section 5.1.
    """
    lengths = np.sqrt(np.einsum("ij,ij->j", W, W))
    if lengths.max() > max_norm:
        np.multiply(W, max_norm / np.maximum(lengths, max_norm), out=W)
