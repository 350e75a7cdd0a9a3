"""Microbatches: a batch split by rows among the threads of a team, and the gradients added up.

The loss is a mean, so the gradient of a batch is the mean of its microbatches' gradients, weighted
by their rows, or by the sum of their examples' weights. Where training draws random numbers, each
microbatch has its own generator; where it normalises, each is normalised on its own ("ghost
batches", Hoffer et al. 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import TypeAlias

import numpy as np

from chainrule.core.arrays import Array, Float, aligned_zeros
from chainrule.core.blas import cores
from chainrule.core.rng import fold_in
from chainrule.core.threads import ThreadTeam
from chainrule.data.augment import Distorter
from chainrule.data.batches import (
    Batch,
    ExampleArrays,
    Gather,
    Picker,
    Rows,
    count,
    parts_of,
)
from chainrule.nn.network import Network, Workspace, Workspaces
from chainrule.optim.optimizers import chunks
from chainrule.training.options import ALL_CORES
from chainrule.training.state import Losses

MICROBATCH_ROWS = 1024
"""Largest microbatch: its activations stay in the cache."""

DRAWN_ROWS = 256
"""Rows per microbatch where training draws random numbers or normalises: the same on every machine,
so that results do not depend on the number of cores."""

WORK_PER_CORE = 10_000_000
"""Weights times rows per core below which handing work to another thread costs more than it saves.
"""

Backpropagate: TypeAlias = Callable[
    [Batch, float, Workspace, np.random.Generator | None], tuple[Losses, Float[Array, " P"]]
]
"""(microbatch, fraction of the batch, workspace, rng) -> (losses, gradient), all times the fraction
"""


class GradientWorker:
    """Gradient worker: one thread's microbatches in each step, and all its buffers."""

    def __init__(
        self,
        network: Network,
        gather: Gather,
        *,
        rng: np.random.Generator | None = None,
        distorter: Distorter | None = None,
    ) -> None:
        self.gather = gather
        self.rng = rng
        self.distorter = distorter
        self.distorted = np.empty((DRAWN_ROWS * bool(distorter), network.widths[0]), network.dtype)
        self.statistics = np.zeros_like(network.statistics)
        """Those of the last microbatches, each weighted by its fraction of the batch."""
        self.workspaces = Workspaces(network)
        self.workspace: Workspace | None = None
        """That of the last microbatch."""
        self.total = aligned_zeros(network.parameters.size, network.dtype)

    def add_up(
        self,
        microbatches: Sequence[tuple[int, Rows]],
        backpropagate: Backpropagate,
        examples: int,
        weight: int | float,
        step: int,
    ) -> tuple[Losses, Float[Array, " P"]]:
        """Contribution (losses, gradient) of these microbatches to a batch of `examples`.

        Each comes with its number within the batch.
        """
        losses, gradient = self.microbatch(*microbatches[0], backpropagate, examples, weight, step)
        if len(microbatches) > 1:
            np.copyto(self.total, gradient)
            for number, rows in microbatches[1:]:
                if not isfinite(losses.objective):
                    break  # keeps the workspace that shows where it happened
                more, gradient = self.microbatch(
                    number, rows, backpropagate, examples, weight, step
                )
                losses = added([losses, more])
                np.add(self.total, gradient, out=self.total)
            gradient = self.total
        return losses, gradient

    def microbatch(
        self,
        number: int,
        rows: Rows,
        backpropagate: Backpropagate,
        examples: int,
        weight: int | float,
        step: int,
    ) -> tuple[Losses, Float[Array, " P"]]:
        """(losses, gradient) of one microbatch, weighted by its fraction of the batch."""
        X, y, weights = self.gather(rows)
        rng = self.rng and fold_in(self.rng, 0, step, number)  # epochs are numbered from 1
        if rng and self.distorter:
            X = self.distorter(X, rng, self.distorted[: len(y)])
        self.workspace = workspace = self.workspaces[len(y)]
        mine = len(y) if weights is None else float(np.add.reduce(weights))
        losses, gradient = backpropagate((X, y, weights), mine / weight, workspace, rng)
        if self.statistics.size:
            self.statistics += len(y) / examples * workspace.statistics
        return losses, gradient


class Microbatches:
    """Microbatches of each batch, split among the threads of a team."""

    def __init__(
        self,
        network: Network,
        examples: ExampleArrays,
        team: ThreadTeam,
        *,
        rng: np.random.Generator | None = None,
        distorter: Callable[[], Distorter] | None = None,
    ) -> None:
        """`rng`: None if training draws nothing; `distorter` makes one for each thread."""
        self.team = team
        self.network = network
        self.rows = DRAWN_ROWS if rng else None
        self._weights = Picker(examples[2]) if len(examples) == 3 else None
        self.workers = [
            GradientWorker(network, Gather(*examples), rng=rng, distorter=distorter and distorter())
            for _ in range(team.size)
        ]

    def weight(self, rows: Rows) -> int | float:
        """What a batch weighs: the sum of its examples' weights, or their number."""
        return count(rows) if self._weights is None else float(np.add.reduce(self._weights(rows)))

    def mean(
        self, rows: Rows, weight: int | float, backpropagate: Backpropagate, step: int
    ) -> tuple[Losses, Float[Array, " P"]]:
        """(mean losses, gradient) of one batch of this weight, each worker with its part."""
        examples = count(rows)
        parts = list(enumerate(split(rows, self.team.size, self.rows)))
        if self.network.statistics.size:
            for worker in self.workers:  # also those for whom this batch has no microbatch
                worker.statistics.fill(0)
        answers = self.team.share(
            parts,
            lambda k, mine: self.workers[k].add_up(mine, backpropagate, examples, weight, step),
        )
        losses, gradients = zip(*answers, strict=True)
        return added(losses), self._sum(gradients)

    def statistics(self, examples: int) -> tuple[Float[Array, " S"], int]:
        """(mean batch statistics, rows per microbatch) of the last batch of `examples`."""
        total: Array = np.add.reduce([worker.statistics for worker in self.workers])
        return total, largest_part(examples, DRAWN_ROWS)

    def seen(self) -> list[Workspace]:
        """The workspaces of the last batch; fewer than threads if that batch was small."""
        return [worker.workspace for worker in self.workers if worker.workspace]

    def _sum(self, gradients: Sequence[Float[Array, " P"]]) -> Float[Array, " P"]:
        """Sum of all gradients, in the memory of the first."""
        total, *others = gradients

        def add(worker: int, parts: Sequence[slice]) -> None:
            for part in parts:
                for other in others:
                    np.add(total[part], other[part], out=total[part])

        if others:
            self.team.share(chunks(total.size), add)
        return total


def added(parts: Sequence[Losses]) -> Losses:
    """The losses of all parts together; each is weighted already."""
    return Losses(*map(sum, zip(*parts, strict=True)))


def team_size(network: Network, batch_size: int, threads: int, *, whole: bool = False) -> int:
    """Number of threads worthwhile for a step of this size, at most `threads` (ALL_CORES: all).

    One if the whole step is compiled: it is not split.
    """
    if whole:
        return 1
    worth = network.layout.weights_end * batch_size // WORK_PER_CORE
    return max(1, min(cores() if threads == ALL_CORES else threads, worth))


def split(rows: Rows, workers: int, size: int | None = None) -> list[Rows]:
    """Near-equal parts of a batch, MICROBATCH_ROWS at most, the same number for each worker.

    With a `size`: the fewest parts of at most `size` rows, independent of the number of workers.
    """
    if size:
        return list(parts_of(rows, largest_part(count(rows), size)))
    if workers == 1 and count(rows) <= MICROBATCH_ROWS:
        return [rows]
    rounds = -(-count(rows) // (workers * MICROBATCH_ROWS))
    return list(parts_of(rows, -(-count(rows) // (workers * rounds))))


def largest_part(examples: int, size: int) -> int:
    """Rows of each part but the last, in the fewest parts of at most `size` rows."""
    return -(-examples // -(-examples // size))
