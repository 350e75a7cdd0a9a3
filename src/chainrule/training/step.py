"""Training step: forward, loss, backward, and one step downhill.

    logits = network.forward(X, workspace, rng)      rng=None: evaluation, dropout off
    loss, dlogits = loss_function(logits, y)         the true gradient of a mean
    gradient = network.backward(dlogits, workspace)  the chain rule, literally: reversed(layers)
    gradient = mean over all microbatches            a single microbatch: unchanged
    optimizer.step(parameters, gradient, rate)       downhill

Microbatches and threads are in `microbatches`, the guard against divergence in `divergence`, the
same step in machine code in `compiled`.
"""

from __future__ import annotations

import numpy as np

from chainrule.core.arrays import Array, Float
from chainrule.data.batches import Batch, Rows, count
from chainrule.nn.batch_norm import update_running
from chainrule.nn.losses import LossFunction, Strength, l2_penalty, value_and_gradient
from chainrule.nn.network import Network, Workspace
from chainrule.optim.clipping import clip, shorten_columns
from chainrule.optim.ema import EMA
from chainrule.optim.optimizers import CHUNK, Optimizer, chunks
from chainrule.optim.schedules import Schedule
from chainrule.training.divergence import Guard
from chainrule.training.microbatches import Microbatches
from chainrule.training.options import Options
from chainrule.training.state import Losses, Progress


class Objective:
    """Objective: what is minimised, the mean loss of a batch and the penalty, with its gradient."""

    def __init__(
        self,
        network: Network,
        microbatches: Microbatches,
        *,
        loss: LossFunction,
        plain: LossFunction | None = None,
        l2: Strength = 0.0,
    ) -> None:
        """`plain` is the loss without label smoothing, if `loss` is one with it."""
        self.network = network
        self.microbatches = microbatches
        self.loss = loss
        self.plain = plain
        self.l2 = l2
        self._scratch = np.zeros(min(network.layout.weights_end, CHUNK) * bool(l2), network.dtype)

    def __call__(
        self, rows: Rows, weight: int | float, step: int
    ) -> tuple[Losses, Float[Array, " P"]]:
        """(losses, gradient) of a batch of this weight; valid until the next call."""
        (loss, plain), gradient = self.microbatches.mean(rows, weight, self.backpropagate, step)
        if self.l2:
            l2 = self.l2(self.microbatches.weight(rows)) if callable(self.l2) else self.l2
            parameters = self.network.parameters
            for part in chunks(self.network.layout.weights_end):
                loss += l2_penalty(parameters[part], gradient[part], l2, self._scratch)
        return Losses(loss, plain), gradient

    def backpropagate(
        self, batch: Batch, share: float, workspace: Workspace, rng: np.random.Generator | None
    ) -> tuple[Losses, Float[Array, " P"]]:
        """Losses and gradient of one microbatch, weighted by its fraction of the batch."""
        X, y, weights = batch
        logits = self.network.forward(X, workspace, rng)
        plain = self.plain and value_and_gradient(self.plain, logits, y, workspace.loss, weights)[0]
        loss, dlogits = value_and_gradient(self.loss, logits, y, workspace.loss, weights)
        np.multiply(dlogits, share, out=dlogits)
        losses = Losses(share * loss, share * (loss if plain is None else plain))
        return losses, self.network.backward(dlogits, workspace)


class Step:
    """Training step: one batch forward and backward, then downhill; called with its rows."""

    def __init__(
        self,
        network: Network,
        microbatches: Microbatches,
        *,
        loss: LossFunction,
        plain: LossFunction | None = None,
        optimizer: Optimizer,
        schedule: Schedule,
        progress: Progress,
        options: Options,
        l2: Strength | None = None,
        ema: EMA | None = None,
    ) -> None:
        """Uses the options `max_norm`, `max_weight_norm` and, unless it is given, `l2`.

        `plain` is the loss without label smoothing, if `loss` is one with it.
        """
        self.network = network
        self.microbatches = microbatches
        l2 = options.l2 if l2 is None else l2
        self.objective = Objective(network, microbatches, loss=loss, plain=plain, l2=l2)
        self.optimizer = optimizer
        self.schedule = schedule
        self.progress = progress
        self.options = options
        self.ema = ema
        self.guard = Guard(network, optimizer, schedule, progress, microbatches)

    def __call__(self, rows: Rows, weight: int | float) -> Losses:
        """Takes one step, on a batch of this weight; returns its mean losses before it.

        Raises DivergenceError, with the last good weights back in the network.
        """
        network, step, team = self.network, self.progress.step, self.microbatches.team
        losses, gradient = self.objective(rows, weight, step)
        self.guard.accept(losses.objective)
        if self.options.max_norm:
            clip(gradient, self.options.max_norm)
        self.optimizer.step(network.parameters, gradient, self.schedule(step), team)
        if self.options.max_weight_norm:
            for W in network.W:
                shorten_columns(W, self.options.max_weight_norm)
        if network.statistics.size and count(rows) > 1:  # one row has no variance
            update_running(network.statistics, *self.microbatches.statistics(count(rows)))
        if self.ema:
            self.ema.update(step + 1, team)
        return losses
