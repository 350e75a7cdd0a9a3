"""The steps of one epoch: forward, loss, backward, optimizer, again and again.

Each batch is shared out by rows among a crew of workers, one a core, see `shares`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import isfinite
from time import perf_counter

import numpy as np

from chainrule.core.arrays import Array, Float, Int
from chainrule.core.blas import one_blas_thread
from chainrule.core.errors import DivergenceError
from chainrule.core.threads import Crew
from chainrule.data.augment import Distorter
from chainrule.data.batches import Gather, Rows, count
from chainrule.nn.batch_norm import update_running
from chainrule.nn.losses import LossFunction, l2_penalty
from chainrule.nn.network import Network
from chainrule.optim.clipping import clip, shorten_columns
from chainrule.optim.ema import Averager
from chainrule.optim.optimizers import Optimizer, chunks
from chainrule.optim.schedules import Schedule
from chainrule.training.compiled import CompiledStep
from chainrule.training.microbatches import DRAWN_ROWS, Worker, largest_share, shares_of
from chainrule.training.state import Progress

KEEP_EVERY = 100
"""Steps between two copies of the weights to fall back on; the copy costs less than 1 % so."""


class Stepper:
    """All that a run of training carries from one step to the next."""

    def __init__(
        self,
        network: Network,
        examples: tuple[Float[Array, "N n"], Int[Array, " N"]],
        *,
        loss: LossFunction,
        optimizer: Optimizer,
        schedule: Schedule,
        crew: Crew,
        progress: Progress,
        l2: float,
        max_norm: float | None,
        max_weight_norm: float | None = None,
        averager: Averager | None = None,
        compiled: CompiledStep | None = None,
        rng: np.random.Generator | None = None,
        distorter: Callable[[], Distorter] | None = None,
    ) -> None:
        """`rng` for what training draws, None if it draws nothing; `distorter` makes one a core."""
        self.network = network
        self.progress = progress
        self.optimizer = optimizer
        self.schedule = schedule
        self.crew = crew
        self.l2 = l2
        self.max_norm = max_norm
        self.max_weight_norm = max_weight_norm
        self.averager = averager
        self.compiled = compiled
        self.share_rows = DRAWN_ROWS if rng else None
        self.workers = [
            Worker(network, Gather(*examples), loss, rng=rng, distorter=distorter and distorter())
            for _ in range(crew.size)
        ]
        self.kept = network.state.copy()
        """The weights that the last KEEP_EVERY-th good step started from."""
        self.candidate = np.empty_like(self.kept)
        self.scratch = np.zeros(network.layout.weights_end if l2 else 0, network.dtype)

    def epoch(self, batches: Iterator[Rows], stop: Callable[[], bool]) -> float | None:
        """The mean loss over the epoch, of which these batches are left; None if stopped."""
        progress, take_step = self.progress, self.take_step
        if self.compiled:
            take_step = partial(self.take_compiled_step, self.compiled)
        started = perf_counter() - progress.seconds
        # An overflow is no news while the loss is watched: it is reported below, once, in words.
        ignored = np.errstate(over="ignore", invalid="ignore", divide="ignore")
        with one_blas_thread(), ignored:
            for rows in batches:
                if stop():
                    return None
                loss = take_step(rows)
                progress.add(loss, count(rows))
                progress.seconds = perf_counter() - started
            # No batch follows the last step to tell whether it went too far.
            self._check()
        return progress.loss / progress.examples

    def take_step(self, rows: Rows) -> float:
        """One batch forward and backward, one step downhill; returns its loss before the step."""
        parameters = self.network.parameters
        loss, gradient = self.backpropagate(rows)
        if self.l2:
            weights = slice(self.network.layout.weights_end)
            loss += l2_penalty(parameters[weights], gradient[weights], self.l2, self.scratch)
        if not isfinite(loss):
            raise self._diverged(loss)
        if self.progress.step % KEEP_EVERY == 0:
            self._check()
            np.copyto(self.kept, self.network.state)
        if self.max_norm:
            clip(gradient, self.max_norm)
        self.optimizer.step(parameters, gradient, self.schedule(self.progress.step), self.crew)
        if self.max_weight_norm:
            for W in self.network.W:
                shorten_columns(W, self.max_weight_norm)
        if self.network.statistics.size and count(rows) > 1:  # one row has no variance
            batch = np.add.reduce([worker.statistics for worker in self.workers])
            update_running(self.network.statistics, batch, largest_share(count(rows), DRAWN_ROWS))
        if self.averager:
            self.averager.update(self.progress.step + 1, self.crew)
        return loss

    def take_compiled_step(self, compiled: CompiledStep, rows: Rows) -> float:
        """The same in machine code, which leaves the weights alone if the loss is not finite."""
        keep = self.progress.step % KEEP_EVERY == 0
        if keep:
            self._check()
            np.copyto(self.candidate, self.network.state)
        loss = compiled(*self.workers[0].gather(rows), self.schedule(self.progress.step))
        if not isfinite(loss):
            self.workers[0].share(
                0, rows, count(rows)
            )  # for the activations that _diverged looks at
            raise self._diverged(loss)
        if keep:
            np.copyto(self.kept, self.candidate)
        return loss

    def backpropagate(self, rows: Rows) -> tuple[float, Float[Array, " P"]]:
        """(mean loss, gradient) of one batch, each worker of the crew with its share."""
        examples = count(rows)
        shares = list(enumerate(shares_of(rows, self.crew.size, self.share_rows)))
        step = self.progress.step
        if self.network.statistics.size:
            for worker in self.workers:  # also those for whom this batch has no share
                worker.statistics.fill(0)
        answers = self.crew.share(
            shares, lambda k, mine: self.workers[k].backpropagate(mine, examples, step)
        )
        losses, gradients = zip(*answers, strict=True)
        return sum(losses), self._sum(gradients)

    def _sum(self, gradients: Sequence[Float[Array, " P"]]) -> Float[Array, " P"]:
        """All gradients added up, in the memory of the first."""
        total, *others = gradients

        def add(worker: int, parts: Sequence[slice]) -> None:
            for part in parts:
                for other in others:
                    np.add(total[part], other[part], out=total[part])

        if others:
            self.crew.share(chunks(total.size), add)
        return total

    def _check(self) -> None:
        """Raises DivergenceError for what a finite loss may hide: Adam divides by infinity to 0."""
        parameters, memory = self.network.parameters, self.optimizer.state.values()
        if not isfinite(float(np.dot(parameters, parameters))):
            raise self._diverged(what="the weights became infinite")
        if not isfinite(float(np.add.reduce(self.network.statistics))):
            raise self._diverged(what="the variance of a unit's sums became infinite")
        if not all(isfinite(float(np.add.reduce(values))) for values in memory):
            raise self._diverged(what="what the optimizer remembers became infinite")

    def _diverged(self, loss: float = 0.0, what: str = "") -> DivergenceError:
        """Puts the last good weights back, and says where the numbers ran away."""
        network = self.network
        # A crew may be larger than the last batch was: some may not have had a share yet.
        seen = [worker.workspace for worker in self.workers if worker.workspace]
        finite = (
            all(np.isfinite(values).all() for values in layer)
            for layer in zip(*(each.A for each in seen), network.W, network.b, strict=True)
        )
        layer = next((number for number, good in enumerate(finite, 1) if not good), None)
        np.copyto(network.state, self.kept)
        step = self.progress.step
        rate = self.schedule(max(step - 1, 0))
        remedy = float(f"{rate / 10:.0e}")
        where = f", first in layer {layer} ({network.layers[layer - 1]})" if layer else ""
        if not (layer or isfinite(loss)):
            where = ", first in the loss itself"
        # Machine code has memory of its own: no worker may have seen a batch.
        largest = max((float(np.abs(each.inputs[0]).max()) for each in seen), default=0.0)
        scale = f", or scale the inputs: they reach {largest:g}, not 1" if largest > 10 else ""
        return DivergenceError(
            f"{what or f'the loss became {loss}'} at step {step}{where}, at learning rate "
            f"{rate:g}: try a learning rate of {remedy:g}{scale}; the weights of step "
            f"{step - 1 - (step - 1) % KEEP_EVERY if step else 0} are kept",
            step=step,
            layer=layer,
            learning_rate=remedy,
        )
