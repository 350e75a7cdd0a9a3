"""Final weights: the last ones, their moving average, or those of the best epoch."""

from __future__ import annotations

import numpy as np

from chainrule.core.arrays import Array
from chainrule.nn.network import Network
from chainrule.optim.ema import EMA, EVERY
from chainrule.training.options import Options
from chainrule.training.state import Progress


class FinalWeights:
    """Weights to measure after an epoch, and to leave in the network, as the options ask.

    Between two epochs, and however training ends, the network holds the weights that training would
    leave; the progress keeps those to train on from.
    """

    def __init__(self, network: Network, options: Options) -> None:
        self.network = network
        self.average = network.copy() if options.average else network
        self.ema: EMA | None = None
        if options.average:
            self.ema = EMA(self.average.state, network.state, options.average)
        self.best = network.state.copy() if options.patience else network.state[:0]
        self.diverged = False
        """True if the network holds the weights to fall back on, regardless of the options."""
        self._trained = network.state.copy() if options.average or options.patience else None
        """Weights to train on from, while the network holds others."""
        self._shown = False

    def arrays(self) -> dict[str, Array]:
        """Arrays to save with a run besides the parameters and the optimizer's state."""
        return {"average": self.average.state} if self.ema else {}

    def measured(self, progress: Progress) -> Network:
        """The network to evaluate: the average, as soon as it has been updated."""
        return self.network if progress.step < EVERY else self.average

    def end_epoch(self, progress: Progress) -> None:
        """Keeps the weights of the epoch if it is the best so far."""
        if self.best.size and not progress.waited:
            np.copyto(self.best, self.measured(progress).state)

    def show(self, progress: Progress) -> None:
        """Puts the weights that training would leave now into the network."""
        if self._trained is None or self._shown:
            return
        network = self.network
        np.copyto(self._trained, network.state)
        progress.arrays["parameters"], self._shown = self._trained, True
        if self.best.size and progress.best_step:
            np.copyto(network.state, self.best)
        elif not self.diverged:
            np.copyto(network.state, self.measured(progress).state)

    def hide(self, progress: Progress) -> None:
        """Puts the weights to train on from back into the network."""
        if self._trained is not None and self._shown:
            np.copyto(self.network.state, self._trained)
            progress.arrays["parameters"], self._shown = self.network.state, False
