"""Divergence guard: stops training when numbers blow up, and restores good weights."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

import numpy as np

from chainrule.core.arrays import Array, values_of
from chainrule.core.errors import DivergenceError
from chainrule.nn.network import Network
from chainrule.optim.optimizers import Optimizer
from chainrule.optim.schedules import Schedule
from chainrule.training.microbatches import Microbatches
from chainrule.training.state import Progress

KEEP_EVERY = 100
"""Steps between two copies of the weights to fall back on: copying costs less than 1 %."""


def infinite(network: Network, memory: Iterable[Array]) -> str:
    """What is infinite, or soon will be, in a network and in an optimizer's memory; empty: nothing.

    Weights and running means are judged by their sum of squares, all else by its sum.
    """
    if not isfinite(float(np.dot(network.parameters, network.parameters))):
        return "the weights"
    if not isfinite(float(np.add.reduce(network.statistics))):
        return "the variance of a unit's sums"
    if not all(isfinite(float(np.dot(mean, mean))) for mean in network.mean):
        return "the mean of a unit's sums"
    if not all(isfinite(float(np.add.reduce(values))) for values in memory):
        return "what the optimizer remembers"
    return ""


class Guard:
    """Divergence guard: keeps a copy of good weights, and checks what may blow up."""

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        schedule: Schedule,
        progress: Progress,
        microbatches: Microbatches,
    ) -> None:
        self.network = network
        self.optimizer = optimizer
        self.schedule = schedule
        self.progress = progress
        self.microbatches = microbatches
        self.kept = network.state.copy()
        """The weights that the last KEEP_EVERY-th good step started from."""

    @property
    def due(self) -> bool:
        """True if the weights before the present step are to be kept."""
        return self.progress.step % KEEP_EVERY == 0

    def accept(self, loss: float) -> None:
        """Checks a step's loss before the parameters move. Raises DivergenceError."""
        if not isfinite(loss):
            raise self.diverged(loss)
        if self.due:
            self.check()
            np.copyto(self.kept, self.network.state)

    def check(self) -> None:
        """Raises DivergenceError for infinities behind a finite loss: Adam divides them to 0."""
        if what := infinite(self.network, self.optimizer.state.values()):
            raise self.diverged(what=f"{what} became infinite")

    def diverged(self, loss: float = 0.0, what: str = "") -> DivergenceError:
        """Restores the last good weights; the error says where the numbers blew up."""
        network, step = self.network, self.progress.step
        layer = self._first_layer_not_finite()
        np.copyto(network.state, self.kept)
        rate = self.schedule(max(step - 1, 0))
        remedy = float(f"{rate / 10:.0e}")
        where = f", first in layer {layer} ({network.layers[layer - 1]})" if layer else ""
        if not (layer or isfinite(loss)):
            where = ", first in the loss itself"
        # Compiled steps have their own memory: perhaps no workspace has seen a batch.
        seen = (values_of(each.inputs[0]) for each in self.microbatches.seen())
        largest = max((float(np.abs(values).max(initial=0)) for values in seen), default=0.0)
        scale = f", or scale the inputs: they reach {largest:g}, not 1" if largest > 10 else ""
        return DivergenceError(
            f"{what or f'the loss became {loss}'} at step {step}{where}, at learning rate "
            f"{rate:g}: try a learning rate of {remedy:g}{scale}; the weights of step "
            f"{step - 1 - (step - 1) % KEEP_EVERY if step else 0} are kept",
            step=step,
            layer=layer,
            learning_rate=remedy,
        )

    def _first_layer_not_finite(self) -> int | None:
        """Number, from 1, of the first layer with activations or parameters that are not finite."""
        network = self.network
        activations = [workspace.A for workspace in self.microbatches.seen()]
        finite = (
            all(np.isfinite(values).all() for values in layer)
            for layer in zip(*activations, network.W, network.b, strict=True)
        )
        return next((number for number, good in enumerate(finite, 1) if not good), None)
