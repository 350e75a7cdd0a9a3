"""Matrix multiplication, split in two for the sizes at which that is faster."""

from __future__ import annotations

import numpy as np

from chainrule.core.arrays import CSR, Array, Float

SMALL = 1_000_000
"""Multiply-adds up to which OpenBLAS has kernels that skip its packing (its PR 3335)."""


def matmul(
    A: Float[Array, "m k"], B: Float[Array, "k n"], out: Float[Array, "m n"]
) -> Float[Array, "m n"]:
    """Matrix product A @ B, written into `out`.

    A product somewhat above SMALL is computed as two halves below it: 10 x 784 @ 784 x 128, the
    first layer on a batch of 10, takes 31 us instead of 57.
    """
    m, k = A.shape
    n = B.shape[1]
    if not SMALL < m * k * n < 1.5 * SMALL:
        return np.matmul(A, B, out=out)
    half = n // 2
    np.matmul(A, B[:, :half], out=out[:, :half])
    np.matmul(A, B[:, half:], out=out[:, half:])
    return out


def sparse_matmul(
    A: Float[Array, "m k"] | CSR, B: Float[Array, "k n"], out: Float[Array, "m n"]
) -> Float[Array, "m n"]:
    """Matrix product A @ B of a matrix that may be sparse, which multiplies by its own means."""
    if isinstance(A, np.ndarray):
        return matmul(A, B, out)
    np.copyto(out, A @ B)
    return out
