"""Which learning rate? Raise it at every step, from far too low to too high, and watch the loss.

The range test of Smith 2017 ("Cyclical learning rates for training neural networks", section
3.3): the loss first stands still, then falls, then runs away. A good highest rate lies where it
still falls, well before its lowest point. Why: docs/derivation.md, section 12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from chainrule.core.errors import DivergenceError
from chainrule.optim.schedules import Exponential, Schedule
from chainrule.training.state import Progress
from chainrule.training.train import Epoch

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 200
"""Rates tried, and in how many steps."""

SMOOTHING = 0.9
"""The part of the smoothed loss that each step leaves as it was."""

RUNAWAY = 3.0
"""The search ends where the smoothed loss is so many times its lowest value."""

BEFORE_LOWEST = 10.0
"""The rate suggested is that of the lowest loss divided by this, the rule of thumb of fastai."""


@dataclass(frozen=True)
class RateSearch:
    """The loss at each rate tried, and what to make of it."""

    rates: list[float]
    losses: list[float]
    """Of each batch, as it came."""
    smoothed: list[float]
    suggestion: float
    """A highest learning rate to begin with."""


@dataclass
class Recorder(Progress):
    """A Progress that also keeps the loss of every step."""

    losses: list[float] = field(default_factory=list)

    def add(self, loss: float, examples: int) -> None:
        """One more step has been taken."""
        super().add(loss, examples)
        self.losses.append(loss)


def find_rate(
    begin: Callable[[Schedule, Callable[[], bool], Progress], Iterator[Epoch]],
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
) -> RateSearch:
    """Trains by `begin(schedule, stop, progress)`, at least `steps` steps long, until it runs away.

    The network that it trains is worth nothing afterwards. Raises ValueError if the very first loss
    is not finite.
    """
    schedule, recorder = Exponential(lowest, steps, highest=highest), Recorder()

    def stop() -> bool:
        smoothed = smooth(recorder.losses)
        return len(smoothed) >= steps or (bool(smoothed) and smoothed[-1] > RUNAWAY * min(smoothed))

    try:
        for _ in begin(schedule, stop, recorder):
            pass
    except DivergenceError:
        pass
    losses = [loss for loss in recorder.losses if isfinite(loss)]
    if not losses:
        raise ValueError("the first loss is not finite: scale the inputs to 0..1")
    smoothed = smooth(losses)
    rates = [schedule(step) for step in range(len(losses))]
    best = rates[int(np.argmin(smoothed))] / BEFORE_LOWEST
    return RateSearch(rates, losses, smoothed, float(f"{best:.1e}"))


def smooth(losses: list[float]) -> list[float]:
    """The exponential moving average of the losses, without its bias towards the beginning."""
    total, weight, smoothed = 0.0, 0.0, []
    for loss in losses:
        total = SMOOTHING * total + (1 - SMOOTHING) * loss
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        smoothed.append(total / weight)
    return smoothed
