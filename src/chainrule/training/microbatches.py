"""A batch shared out by rows: who takes which, and what a worker does with its share.

The loss is a mean, so the gradient of a batch is the mean of its shares' gradients, weighted by
their rows. Where training draws random numbers, each share has a generator of its own; where it
normalises, each share is a batch of its own ("ghost batches", Hoffer et al. 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

from chainrule.core.arrays import Array, Float, aligned_zeros
from chainrule.core.blas import cores
from chainrule.core.rng import derive
from chainrule.data.augment import Distorter
from chainrule.data.batches import Gather, Rows, count, parts_of
from chainrule.nn.losses import LossFunction
from chainrule.nn.network import Network, Workspace, Workspaces

SHARE_ROWS = 1024
"""Rows that go through the network at a time; what they need stays in the cache."""

DRAWN_ROWS = 256
"""Rows of a share where training draws random numbers or normalises: the same on any machine, so
that results do not depend on how many cores it has."""

WORK_PER_CORE = 10_000_000
"""Weights times rows of a share that are worth a second core: below, handing over costs more."""


class Worker:
    """One core's part in each step, and all the memory that it writes into."""

    def __init__(
        self,
        network: Network,
        gather: Gather,
        loss: LossFunction,
        *,
        rng: np.random.Generator | None = None,
        distorter: Distorter | None = None,
    ) -> None:
        self.network = network
        self.gather = gather
        self.loss = loss
        self.rng = rng
        self.distorter = distorter
        self.distorted = np.empty((DRAWN_ROWS * bool(distorter), network.widths[0]), network.dtype)
        self.statistics = np.zeros_like(network.statistics)
        """Those of the last shares, each weighted by its part of the batch."""
        self.workspaces = Workspaces(network)
        self.workspace: Workspace | None = None
        """That of the last share."""
        self.total = aligned_zeros(network.parameters.size, network.dtype)

    def backpropagate(
        self, shares: Sequence[tuple[int, Rows]], examples: int, step: int = 0
    ) -> tuple[float, Float[Array, " P"]]:
        """(loss, gradient): what these shares add to those of their batch of so many examples.

        Each share comes with its number within the batch.
        """
        loss, gradient = self.share(*shares[0], examples, step)
        if len(shares) > 1:
            np.copyto(self.total, gradient)
            for number, rows in shares[1:]:
                if not isfinite(loss):
                    break  # with the workspace that shows where it happened
                more, gradient = self.share(number, rows, examples, step)
                loss += more
                np.add(self.total, gradient, out=self.total)
            gradient = self.total
        return loss, gradient

    def share(
        self, number: int, rows: Rows, examples: int, step: int = 0
    ) -> tuple[float, Float[Array, " P"]]:
        """(loss, gradient) of one share, weighted by its part of the batch."""
        X, y = self.gather(rows)
        rng = self.rng and derive(self.rng, 0, step, number)  # epochs are numbered from 1
        if rng and self.distorter:
            X = self.distorter(X, rng, self.distorted[: len(y)])
        self.workspace = workspace = self.workspaces[len(y)]
        logits = self.network.forward(X, workspace, rng)
        loss, dlogits = self.loss(logits, y, workspace.loss)
        weight = len(y) / examples
        np.multiply(dlogits, weight, out=dlogits)
        if self.statistics.size:
            self.statistics += weight * workspace.statistics
        return weight * loss, self.network.backward(dlogits, workspace)


def crew_size(
    network: Network, batch_size: int, threads: int | None, *, whole: bool = False
) -> int:
    """How many cores a step of this size is worth, of `threads` or else all there are.

    One if the whole step is compiled: it shares nothing out.
    """
    if whole:
        return 1
    worth = network.layout.weights_end * batch_size // WORK_PER_CORE
    return max(1, min(cores() if threads is None else threads, worth))


def shares_of(rows: Rows, workers: int, size: int | None = None) -> list[Rows]:
    """The rows of a batch in near-equal shares, as many for each worker, of SHARE_ROWS at most.

    With a `size`: as few shares as have at most so many rows, whoever does them.
    """
    if size:
        return list(parts_of(rows, largest_share(count(rows), size)))
    if workers == 1 and count(rows) <= SHARE_ROWS:
        return [rows]
    rounds = -(-count(rows) // (workers * SHARE_ROWS))
    return list(parts_of(rows, -(-count(rows) // (workers * rounds))))


def largest_share(examples: int, size: int) -> int:
    """The rows of each share but the last, where as few as possible have at most `size`."""
    return -(-examples // -(-examples // size))
