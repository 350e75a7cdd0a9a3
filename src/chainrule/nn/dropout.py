"""What training does to a layer's inputs so that it cannot lean on any one of them.

Dropout (Srivastava et al. 2014) leaves out a share p of them at random, and scales the others by
1 / (1 - p), so that their sum stays what it was on average and predicting needs no change. Noise
(Bishop 1995) adds random numbers. Backward, an input counts as much as it did forward: dA times the
mask; a summand changes nothing. docs/derivation.md, section 11.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from chainrule.core.arrays import Array, Float

ROWS = 256
"""Rows whose stretches are drawn at a time."""


def disturb(
    A: Float[Array, "N n"],
    mask: Float[Array, "N _m"],
    noise: Float[Array, "N _k"],
    dropout: float,
    deviation: float,
    rng: np.random.Generator,
    out: Float[Array, "N n"],
) -> Float[Array, "N n"]:
    """A * mask + noise, written into `out`; `mask` and `noise` are drawn anew.

    The mask is 0 with probability `dropout`, else 1 / (1 - dropout); the noise is normal with this
    standard deviation. What is 0 is not drawn, and its array may be empty.
    """
    if dropout:
        rng.random(out=mask, dtype=mask.dtype.type)
        np.greater_equal(mask, dropout, out=mask)
        np.multiply(mask, 1 / (1 - dropout), out=mask)
        A = np.multiply(A, mask, out=out)
    if deviation:
        draw_normal(noise, rng)
        np.multiply(noise, deviation, out=noise)
        A = np.add(A, noise, out=out)
    return A


def draw_normal(out: Float[Array, "N n"], rng: np.random.Generator) -> None:
    """Fills `out` with standard normal numbers: each row is some stretch of a fixed million.

    256 x 784 take 0.7 ms; drawing each number anew takes 4.1, a quarter of a step.
    """
    N, n = out.shape
    million = _normal_numbers()
    if n > len(million) // 8:
        rng.standard_normal(out=out, dtype=out.dtype.type)
        return
    for first in range(0, N, ROWS):
        rows = out[first : first + ROWS]
        starts = rng.integers(len(million) - n, size=len(rows)).tolist()
        for row, start in zip(rows, starts, strict=True):
            np.copyto(row, million[start : start + n])


@cache
def _normal_numbers() -> Float[Array, " M"]:
    rng = np.random.Generator(np.random.PCG64(0))
    return rng.standard_normal(1 << 20, np.float32)
