"""Final weights: the last ones, their moving average, or those of the best epoch."""

from __future__ import annotations

import numpy as np

from chainrule.core.arrays import Array
from chainrule.nn.network import Network
from chainrule.optim.ema import EMA, EVERY
from chainrule.training.options import Options
from chainrule.training.state import Progress


class FinalWeights:
    """Final weights that training leaves in the network, as the options ask."""

    def __init__(self, network: Network, options: Options) -> None:
        self.network = network
        self.measured = network.copy() if options.average else network
        """The network evaluated after each epoch: the average, if one is kept."""
        self.ema: EMA | None = None
        if options.average:
            self.ema = EMA(self.measured.state, network.state, options.average)
        self.best = network.state[:0]
        if options.patience:
            self.best = network.state.copy()
        self.diverged = False
        """True if the network holds the weights to fall back on, regardless of the options."""

    def arrays(self) -> dict[str, Array]:
        """Arrays to save with a run besides the parameters and the optimizer's state."""
        return {"average": self.measured.state} if self.ema else {}

    def end_epoch(self, progress: Progress) -> None:
        """Keeps the weights of the epoch if it is the best so far."""
        if self.best.size and not progress.waited:
            np.copyto(self.best, self.measured.state)

    def leave(self, progress: Progress) -> None:
        """Puts the final weights into the network; `progress` keeps those to resume from."""
        network, chosen = self.network, self.measured
        if self.diverged or (self.ema and progress.step < EVERY):
            chosen = network
        if self.ema or self.best.size:
            progress.arrays["parameters"] = network.state.copy()
        if self.best.size and progress.best_step:
            chosen.state[:] = self.best
        network.state[:] = chosen.state
