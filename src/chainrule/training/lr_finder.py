"""Learning-rate finder: raises the rate at every step, from too low to too high.

The range test of Smith 2017 ("Cyclical learning rates for training neural networks", section
3.3): the loss is first flat, then falls, then blows up. A good peak rate lies where it still
falls, well before its minimum. For the reason see docs/derivation.md, section 12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from chainrule.core.errors import DivergenceError
from chainrule.optim.schedules import Exponential, Schedule
from chainrule.training.state import Losses, Progress
from chainrule.training.train import Epoch

LOWEST, HIGHEST, STEPS = 1e-6, 10.0, 200
"""Range of rates, and the number of steps through it."""

SMOOTHING = 0.9
"""Decay of the smoothed loss at each step."""

RUNAWAY = 3.0
"""The search ends where the smoothed loss is this many times its minimum."""

FELL = 0.99
"""A loss has fallen if its lowest value is below this part of the first."""

BEFORE_LOWEST = 10.0
"""The suggested rate is that of the lowest loss divided by this, fastai's rule of thumb."""


@dataclass(frozen=True)
class RateSearch:
    """Result of a range test: the loss at each rate, and the rate suggested."""

    rates: list[float]
    losses: list[float]
    """One per batch, unsmoothed."""
    smoothed: list[float]
    suggestion: float
    """A peak learning rate to start with."""


@dataclass
class Recorder(Progress):
    """Progress that also records the objective of every step."""

    losses: list[float] = field(default_factory=list)

    def add(self, losses: Losses, examples: int | float) -> None:
        """Records a step and its objective."""
        super().add(losses, examples)
        if examples:
            self.losses.append(losses.objective)


def find_rate(
    begin: Callable[[Schedule, Callable[[], bool], Progress], Iterator[Epoch]],
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    steps: int = STEPS,
) -> RateSearch:
    """Range test of the training that `begin(schedule, stop, progress)` starts.

    That training must offer at least `steps` steps; the test ends early once the loss blows up.
    The network is useless afterwards. Raises ValueError if the very first loss is not finite, or
    none of the rates makes it fall.
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
    if min(smoothed) > FELL * smoothed[0]:
        raise ValueError(
            f"the loss did not fall below the {smoothed[0]:.4g} that it began with, in "
            f"{len(losses)} steps at rates of {lowest:g} to {rates[-1]:.2g}: scale the inputs to "
            "0..1, and see whether each label fits its image"
        )
    return RateSearch(rates, losses, smoothed, float(f"{best:.1e}"))


def smooth(losses: list[float]) -> list[float]:
    """Exponential moving average of the losses, bias-corrected."""
    total, weight, smoothed = 0.0, 0.0, []
    for loss in losses:
        total = SMOOTHING * total + (1 - SMOOTHING) * loss
        weight = SMOOTHING * weight + (1 - SMOOTHING)
        smoothed.append(total / weight)
    return smoothed
