"""Batch normalisation (Ioffe and Szegedy 2015): each unit's sums with mean 0 and variance 1.

Derived in docs/derivation.md, section 10. Forward, over the N rows of a batch, unit by unit:

    U = A_prev W           mean = sum(U) / N
    variance = sum((U - mean)^2) / N      sigma = sqrt(variance + EPSILON)
    V = (U - mean) / sigma                Z = gamma V + b                            (10.1 - 10.4)

Backward, as mean and sigma depend on every row:

    db = sum(dZ)           dgamma = sum(dZ V)
    dU = gamma / sigma (dZ - db / N - V dgamma / N)                                  (10.5 - 10.8)

Predicting has no batch: it takes running means of both statistics, see `remember`.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.arrays import Array, Float

EPSILON = 1e-5
"""Added to the variance, against a division by 0 (PyTorch's default)."""

MOMENTUM = 0.1
"""The part of a new batch in the running statistics (PyTorch's default)."""


def normalize(
    U: Float[Array, "N n"],
    mean: Float[Array, " n"],
    variance: Float[Array, " n"],
    sigma: Float[Array, " n"],
    *,
    scratch: Float[Array, "N n"],
) -> None:
    """Replaces U by V; writes the batch's mean, variance and sigma."""
    np.mean(U, axis=0, out=mean)
    np.subtract(U, mean, out=U)
    np.square(U, out=scratch)
    np.mean(scratch, axis=0, out=variance)
    np.add(variance, EPSILON, out=sigma)
    np.sqrt(sigma, out=sigma)
    np.divide(U, sigma, out=U)


def normalize_backward(
    dZ: Float[Array, "N n"],
    V: Float[Array, "N n"],
    gamma: Float[Array, " n"],
    sigma: Float[Array, " n"],
    db: Float[Array, " n"],
    dgamma: Float[Array, " n"],
    ones: Float[Array, " N"],
    *,
    out: Float[Array, "N n"],
    scratch: Float[Array, "N n"],
) -> Float[Array, "N n"]:
    """dU, written into `out`, which may be dZ; writes dgamma. `db` is the sum of dZ's rows."""
    N = len(dZ)
    np.multiply(dZ, V, out=scratch)
    np.matmul(ones, scratch, out=dgamma)
    np.multiply(V, dgamma / N, out=scratch)
    np.subtract(dZ, scratch, out=out)
    np.subtract(out, db / N, out=out)
    return np.multiply(out, gamma / sigma, out=out)


def scale_and_shift(
    gamma: Float[Array, " n"],
    b: Float[Array, " n"],
    mean: Float[Array, " n"],
    variance: Float[Array, " n"],
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """(s, t) so that gamma (U - mean) / sigma + b = s U + t (10.12)."""
    scale = gamma / np.sqrt(variance + EPSILON)
    return scale, b - mean * scale


def remember(
    running: Float[Array, " S"], batch: Float[Array, " S"], rows: int, momentum: float = MOMENTUM
) -> None:
    """running += momentum (batch - running), in place, for means, then variances (10.11).

    A batch's variance is that of a sample: N / (N - 1) times it is the population's on average
    (10.10).
    """
    means = len(running) // 2
    unbiased = np.concatenate([batch[:means], batch[means:] * (rows / max(rows - 1, 1))])
    running += momentum * (unbiased - running)
