"""Learning-rate schedules: called with the step, 0, 1, 2, ..., they return its learning rate.

Formulas: docs/derivation.md, section 7, and for Exponential (12.8).

Each takes the peak rate and the number of steps planned. `observe` receives the validation loss
after an epoch; only Plateau uses it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from math import cos, inf, pi
from typing import Any

from chainrule.core.tables import Table


@dataclass
class Schedule:
    """A constant learning rate, and the interface of all the others."""

    rate: float
    steps: int = 0

    def __call__(self, step: int) -> float:
        """The learning rate of step 0, 1, 2, ..."""
        del step
        return self.rate

    def observe(self, loss: float) -> None:
        """Receives the validation loss (without validation: training loss) of an epoch."""

    def __copy__(self) -> Any:
        """A copy with no part in common: a warm-up's contains a schedule of its own."""
        return deepcopy(self)


@dataclass
class Step(Schedule):
    """Step decay: times `factor` after each fraction `every` of the steps; 0.1 at each third."""

    factor: float = 0.1
    every: float = 1 / 3

    def __call__(self, step: int) -> float:
        """The learning rate of step 0, 1, 2, ..."""
        return self.rate * self.factor ** int(step / max(self.every * self.steps, 1))


@dataclass
class Cosine(Schedule):
    """Cosine annealing from the rate to zero (Loshchilov and Hutter 2017, equation 5)."""

    def __call__(self, step: int) -> float:
        """The learning rate of step 0, 1, 2, ..."""
        return _half_cosine(self.rate, 0.0, step / max(self.steps, 1))


@dataclass
class OneCycle(Schedule):
    """One-cycle policy: from rate / 25 up for 30 % of the steps, then down to rate / 250,000.

    Half a cosine each way. Smith and Topin 2018; shape and constants as PyTorch's OneCycleLR.
    """

    rise: float = 0.3

    def __call__(self, step: int) -> float:
        """The learning rate of step 0, 1, 2, ..."""
        start = self.rate / 25
        top = max(self.rise * self.steps - 1, 1e-9)
        if step <= top:
            return _half_cosine(start, self.rate, step / top)
        return _half_cosine(self.rate, start / 1e4, (step - top) / max(self.steps - 1 - top, 1))


@dataclass
class Exponential(Schedule):
    """Exponential growth from the rate to `highest`, for the range test of Smith 2017."""

    highest: float = 1.0

    def __call__(self, step: int) -> float:
        """The learning rate of step 0, 1, 2, ..."""
        rate: float = self.rate * (self.highest / self.rate) ** (step / max(self.steps, 1))
        return rate


@dataclass
class Plateau(Schedule):
    """Reduce on plateau: times `factor` after more than `patience` epochs without improvement.

    A loss improves if it is over 0.01 % lower. Defaults as PyTorch's ReduceLROnPlateau, except
    for the patience, 2 epochs instead of 10.
    """

    factor: float = 0.1
    patience: int = 2
    best: float = inf
    waited: int = 0

    def __call__(self, step: int) -> float:
        """The learning rate of step 0, 1, 2, ..."""
        del step
        return self.rate

    def observe(self, loss: float) -> None:
        """Receives the validation loss of an epoch; lowers the rate when it stalls."""
        if loss < self.best * (1 - 1e-4):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.rate, self.waited = self.rate * self.factor, 0


@dataclass
class WarmUp(Schedule):
    """Linear warm-up over the first `warm_up` steps, then the schedule `then`.

    The line ends where `then` begins; Goyal et al. 2017, section 2.2.
    """

    then: Schedule | None = None
    warm_up: int = 0

    def __call__(self, step: int) -> float:
        """The learning rate of step 0, 1, 2, ..."""
        after = self.then or Schedule(self.rate)
        if step < self.warm_up:
            return after(0) * (step + 1) / self.warm_up
        return after(step - self.warm_up)

    def observe(self, loss: float) -> None:
        """Passes the loss on."""
        if self.then:
            self.then.observe(loss)


def _half_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + cos(pi * min(progress, 1.0))) / 2


SCHEDULES: Table[Callable[[float, int], Schedule]] = Table(
    "schedule",
    {
        "constant": Schedule,
        "step": Step,
        "cosine": Cosine,
        "one-cycle": OneCycle,
        "plateau": Plateau,
    },
)
"""name -> (rate, steps) -> Schedule"""
