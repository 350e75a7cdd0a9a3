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

from chainrule.core.arrays import Array, Float, Int
from chainrule.data.batches import Rows, count
from chainrule.nn.batch_norm import update_running
from chainrule.nn.losses import LossFunction, l2_penalty
from chainrule.nn.network import Network, Workspace
from chainrule.optim.clipping import clip, shorten_columns
from chainrule.optim.ema import EMA
from chainrule.optim.optimizers import Optimizer
from chainrule.optim.schedules import Schedule
from chainrule.training.divergence import Guard
from chainrule.training.microbatches import Microbatches
from chainrule.training.options import Options
from chainrule.training.state import Losses, Progress


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
        ema: EMA | None = None,
    ) -> None:
        """Uses the options `l2`, `max_norm` and `max_weight_norm`.

        `plain` is the loss without label smoothing, if `loss` is one with it.
        """
        self.network = network
        self.microbatches = microbatches
        self.loss = loss
        self.plain = plain
        self.optimizer = optimizer
        self.schedule = schedule
        self.progress = progress
        self.options = options
        self.ema = ema
        self.guard = Guard(network, optimizer, schedule, progress, microbatches)
        self._scratch = np.zeros(network.layout.weights_end * bool(options.l2), network.dtype)

    def backpropagate(
        self,
        X: Float[Array, "N n"],
        y: Int[Array, " N"],
        share: float,
        workspace: Workspace,
        rng: np.random.Generator | None,
    ) -> tuple[Losses, Float[Array, " P"]]:
        """Losses and gradient of one microbatch, weighted by its fraction of the batch."""
        logits = self.network.forward(X, workspace, rng)
        plain = self.plain and self.plain(logits, y, workspace.loss)[0]
        loss, dlogits = self.loss(logits, y, workspace.loss)
        np.multiply(dlogits, share, out=dlogits)
        losses = Losses(share * loss, share * (loss if plain is None else plain))
        return losses, self.network.backward(dlogits, workspace)

    def __call__(self, rows: Rows) -> Losses:
        """Takes one step; returns the batch's mean losses before it.

        Raises DivergenceError, with the last good weights back in the network.
        """
        network, step, team = self.network, self.progress.step, self.microbatches.team
        (loss, plain), gradient = self.microbatches.mean(rows, self.backpropagate, step)
        loss += self._penalize(gradient)
        self.guard.accept(loss)
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
        return Losses(loss, plain)

    def _penalize(self, gradient: Float[Array, " P"]) -> float:
        """L2 penalty of the weights; adds its gradient to `gradient`."""
        if not self.options.l2:
            return 0.0
        weights = slice(self.network.layout.weights_end)
        return l2_penalty(
            self.network.parameters[weights], gradient[weights], self.options.l2, self._scratch
        )
