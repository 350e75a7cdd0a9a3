"""Exponential moving average (EMA) of the weights: many late steps averaged, without their noise.

    average += (1 - decay) (weights - average)

Polyak and Juditsky 1992; exponential as in Szegedy et al. 2016. Early on, while the weights still
move fast, the decay is smaller: (1 + t) / (10 + t) after t updates, TensorFlow's rule. For how
fast it forgets see docs/derivation.md, section 12.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.core.copies import Bound
from chainrule.core.threads import SERIAL, ThreadTeam
from chainrule.optim.optimizers import chunks

EVERY = 8
"""Steps between two updates, each with decay ** EVERY: an eighth of the memory traffic."""


class EMA(Bound):
    """Exponential moving average: `average` follows `weights`, both flat vectors, in place."""

    def __init__(
        self, average: Float[Array, " P"], weights: Float[Array, " P"], decay: float
    ) -> None:
        self.average = average
        self.weights = weights
        self.decay = decay**EVERY
        self._scratch = np.empty_like(average)

    def update(self, step: int, team: ThreadTeam = SERIAL) -> None:
        """Call after each step, 1, 2, 3, ...; only every EVERY-th call updates the average."""
        if step % EVERY:
            return
        updates = step // EVERY
        share = 1 - min(self.decay, (1 + updates) / (10 + updates))

        def move(worker: int, parts: Sequence[slice]) -> None:
            for part in parts:
                average, scratch = self.average[part], self._scratch[part]
                np.subtract(self.weights[part], average, out=scratch)
                np.multiply(scratch, share, out=scratch)
                np.add(average, scratch, out=average)

        team.share(chunks(self.average.size), move)
