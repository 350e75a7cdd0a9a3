"""Dropout and Gaussian noise on a layer's inputs, so that training relies on none of them.

Dropout (Srivastava et al. 2014) drops each input with probability p and scales the others by
1 / (1 - p), so that their sum is unchanged on average and prediction needs no correction. Noise
(Bishop 1995) adds random numbers. With mask M and noise R, both drawn for every element:

    Forward:     A M       A + R                                                     (11.1, 11.2)
    Backward:    dA M      dA                                                        (11.4)

docs/derivation.md, section 11.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.nn.layer import SharedMemory

ROWS = 256
"""Rows drawn at a time."""


@dataclass
class DropoutMemory:
    """The mask of the last forward pass, and the outputs."""

    mask: Float[Array, "N n"]
    out: Float[Array, "N n"]
    drawn: bool = False
    """True if the last forward pass was a training pass."""


class Dropout:
    """Inverted dropout: A times a mask that is 0 with probability p, else 1 / (1 - p)."""

    def __init__(self, units: int, p: float) -> None:
        self.units = units
        self.p = p

    def memory(self, shared: SharedMemory) -> DropoutMemory:
        """Buffers for `shared.examples` rows."""
        return DropoutMemory(shared.matrix(self.units), shared.matrix(self.units))

    def forward(
        self, A: Float[Array, "N n"], memory: DropoutMemory, rng: np.random.Generator | None
    ) -> Float[Array, "N n"]:
        """A M, with a new mask (11.1); without a generator A itself."""
        memory.drawn = rng is not None
        if rng is None:
            return A
        mask = memory.mask
        rng.random(out=mask, dtype=mask.dtype.type)
        np.greater_equal(mask, self.p, out=mask)
        np.multiply(mask, 1 / (1 - self.p), out=mask)
        return np.multiply(A, mask, out=memory.out)

    def backward(self, dA: Float[Array, "_ n"], memory: DropoutMemory) -> Float[Array, "_ n"]:
        """dA M (11.4), written over dA; an empty dA is returned as it is."""
        if memory.drawn and len(dA):
            np.multiply(dA, memory.mask, out=dA)
        return dA


@dataclass
class NoiseMemory:
    """The noise of the last forward pass, and the outputs."""

    noise: Float[Array, "N n"]
    out: Float[Array, "N n"]


class Noise:
    """Gaussian noise with standard deviation `deviation`, added to A."""

    def __init__(self, units: int, deviation: float) -> None:
        self.units = units
        self.deviation = deviation

    def memory(self, shared: SharedMemory) -> NoiseMemory:
        """Buffers for `shared.examples` rows."""
        return NoiseMemory(shared.matrix(self.units), shared.matrix(self.units))

    def forward(
        self, A: Float[Array, "N n"], memory: NoiseMemory, rng: np.random.Generator | None
    ) -> Float[Array, "N n"]:
        """A + R, with new noise (11.2); without a generator A itself."""
        if rng is None:
            return A
        draw_normal(memory.noise, rng)
        np.multiply(memory.noise, self.deviation, out=memory.noise)
        return np.add(A, memory.noise, out=memory.out)

    def backward(self, dA: Float[Array, "_ n"], memory: NoiseMemory) -> Float[Array, "_ n"]:
        """dA, unchanged: the noise is a constant summand."""
        return dA


def draw_normal(out: Float[Array, "N n"], rng: np.random.Generator) -> None:
    """Standard normal numbers, written into `out`: each row a random slice of a fixed million.

    256 x 784 take 0.7 ms; drawing every number takes 4.1 ms, a quarter of a step.
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
