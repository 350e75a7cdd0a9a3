"""Batch normalisation (Ioffe and Szegedy 2015): mean 0 and variance 1 for each unit's sums.

Derived in docs/derivation.md, section 10. Forward, over the N rows of a batch, unit by unit:

    U = A W                mean = sum(U) / N
    variance = sum((U - mean)^2) / N      sigma = sqrt(variance + EPSILON)
    V = (U - mean) / sigma                Z = gamma V + b                            (10.1 - 10.4)

Backward, since mean and sigma depend on every row:

    db = sum(dZ)           dgamma = sum(dZ V)
    dU = gamma / sigma (dZ - db / N - V dgamma / N)                                  (10.5 - 10.8)

Prediction has no batch: it uses running means of both statistics, see `update_running`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.copies import Bound
from chainrule.nn.layer import SharedMemory

EPSILON = 1e-5
"""Added to the variance, to avoid dividing by 0 (PyTorch's default)."""

MOMENTUM = 0.1
"""Weight of a new batch in the running statistics (PyTorch's default)."""


@dataclass
class BatchNormMemory:
    """Batch statistics, normalised sums, outputs, and gradients."""

    mean: Float[Array, " n"]
    variance: Float[Array, " n"]
    sigma: Float[Array, " n"]
    Z: Float[Array, "N n"]
    ones: Float[Array, " N"]
    db: Float[Array, " n"]
    dgamma: Float[Array, " n"]
    dU: Float[Array, "N n"]
    scratch: Float[Array, "N n"]
    V: Float[Array, "N n"] | None = None
    """Of the last forward pass, if it was a training pass."""


class BatchNorm(Bound):
    """Batch normalisation layer: Z = gamma (U - mean) / sigma + b.

    Training uses the batch's statistics, evaluation the running ones, `mean` and `variance` (n,);
    `gamma` and `b` (n,) are learned.
    """

    def __init__(
        self,
        number: int,
        gamma: Float[Array, " n"],
        b: Float[Array, " n"],
        mean: Float[Array, " n"],
        variance: Float[Array, " n"],
    ) -> None:
        """`number` is that of the preceding linear layer, from 0."""
        self.number = number
        self.gamma = gamma
        self.b = b
        self.mean = mean
        self.variance = variance

    def memory(self, shared: SharedMemory) -> BatchNormMemory:
        """Buffers for `shared.examples` rows."""
        n, i = len(self.gamma), self.number
        return BatchNormMemory(
            mean=shared.mean[i],
            variance=shared.variance[i],
            sigma=np.zeros_like(self.gamma),
            Z=shared.matrix(n),
            ones=shared.ones,
            db=shared.db[i],
            dgamma=shared.dgamma[i],
            dU=shared.dZ(n),
            scratch=shared.scratch(n),
        )

    def forward(
        self, U: Float[Array, "N n"], memory: BatchNormMemory, rng: np.random.Generator | None
    ) -> Float[Array, "N n"]:
        """Z = gamma V + b (10.4); in training V is written over U."""
        m, scale, shift = memory, self.gamma, self.b
        m.V = None
        if rng is None:
            scale, shift = scale_and_shift(self.gamma, self.b, self.mean, self.variance)
        else:
            np.mean(U, axis=0, out=m.mean)  # (10.1)
            np.subtract(U, m.mean, out=U)
            np.square(U, out=m.Z)
            np.mean(m.Z, axis=0, out=m.variance)  # (10.2)
            np.add(m.variance, EPSILON, out=m.sigma)
            np.sqrt(m.sigma, out=m.sigma)
            m.V = np.divide(U, m.sigma, out=U)  # (10.3)
        np.multiply(U, scale, out=m.Z)
        return np.add(m.Z, shift, out=m.Z)

    def backward(self, dZ: Float[Array, "N n"], memory: BatchNormMemory) -> Float[Array, "N n"]:
        """dU (10.8); writes db and dgamma (10.5). ValueError after an evaluation pass."""
        m, N = memory, len(dZ)
        if m.V is None:
            raise ValueError(
                f"layer {self.number + 1} was normalised by the running statistics: for a "
                "gradient, go forward with a generator, or use network.folded()"
            )
        np.matmul(m.ones, dZ, out=m.db)
        np.multiply(dZ, m.V, out=m.scratch)
        np.matmul(m.ones, m.scratch, out=m.dgamma)
        np.multiply(m.V, m.dgamma / N, out=m.scratch)
        np.subtract(dZ, m.scratch, out=m.dU)
        np.subtract(m.dU, m.db / N, out=m.dU)
        return np.multiply(m.dU, self.gamma / m.sigma, out=m.dU)


def scale_and_shift(
    gamma: Float[Array, " n"],
    b: Float[Array, " n"],
    mean: Float[Array, " n"],
    variance: Float[Array, " n"],
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Affine form (s, t): gamma (U - mean) / sigma + b = s U + t (10.12)."""
    scale = gamma / np.sqrt(variance + EPSILON)
    return scale, b - mean * scale


def update_running(
    running: Float[Array, " S"], batch: Float[Array, " S"], rows: int, momentum: float = MOMENTUM
) -> None:
    """Running statistics += momentum (batch - running), in place, means then variances (10.11).

    A batch's variance is biased: times N / (N - 1) it is the population's on average (10.10).
    """
    means = len(running) // 2
    unbiased = np.concatenate([batch[:means], batch[means:] * (rows / max(rows - 1, 1))])
    running += momentum * (unbiased - running)
