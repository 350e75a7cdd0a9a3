"""Train state: the position of a run between two steps, and all its next steps depend on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.arrays import Array
from chainrule.core.copies import Rebuilt
from chainrule.core.errors import ModelFileError
from chainrule.optim.optimizers import Optimizer
from chainrule.optim.schedules import Schedule


class Losses(NamedTuple):
    """Losses of a batch, or of a part of it: the one that is minimised, and the plain one."""

    objective: float
    """With label smoothing and penalties."""
    plain: float
    """Without either: what is measured on validation examples too."""


@dataclass
class Progress(Rebuilt):
    """Train state: `train` keeps the one it is given up to date, and resumes from it.

        progress = Progress()
        train(network, examples, rng=rng, progress=progress, stop=...)

    The order of the examples follows from the seed and the epoch's number, so it is not stored.
    A copy or a pickle is the state at that moment, and belongs to no run: give it to another
    `train`.
    """

    derived = ("_optimizer", "_schedule")
    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    """Steps taken."""
    batches: int = 0
    """Batches done in the current epoch."""
    examples: int | float = 0
    """Their examples, or the sum of their weights."""
    loss: float = 0.0
    """The sum of those examples' losses, without label smoothing and penalties."""
    objective: float = 0.0
    """The sum of those examples' losses as they are minimised."""
    seconds: float = 0.0
    """Time taken by these batches."""
    best_loss: float = inf
    """The lowest validation loss (without validation: objective) of an epoch."""
    best_step: int = 0
    """Steps taken when it was measured."""
    waited: int = 0
    """Epochs since then."""
    optimizer_steps: int = 0
    schedule: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    """Parameters, those to fall back on, the best ones, and the optimizer's state."""

    def attach(self, arrays: dict[str, Array], optimizer: Optimizer, schedule: Schedule) -> None:
        """Attaches to a run; if there are saved arrays, first restores them into the run.

        Raises ModelFileError, a ValueError, if they belong to another run.
        """
        if self.arrays:
            here, there = (
                {k: (v.shape, v.dtype) for k, v in a.items()} for a in (arrays, self.arrays)
            )
            if here != there:
                odd = sorted({name for name, _ in here.items() ^ there.items()})
                raise ModelFileError(
                    f"this progress is of another run: {', '.join(odd)} differ; resume with the "
                    "network, the optimizer and the patience that it began with"
                )
            numbers = self.numbers()
            if not _fits(numbers["schedule"], asdict(schedule)):
                raise ModelFileError(
                    "this progress is of another run: the schedule differs; resume with the one "
                    "that it began with"
                )
            for name, values in self.arrays.items():
                np.copyto(arrays[name], values)
            optimizer.steps = numbers["optimizer_steps"]
            _put(schedule, numbers["schedule"])
        self.arrays = arrays
        self._optimizer, self._schedule = optimizer, schedule

    def add(self, losses: Losses, examples: int | float) -> None:
        """Records a batch of so many examples, or of that weight; of weight 0 it took no step."""
        self.step += examples > 0
        self.batches += 1
        self.examples += examples
        self.loss += losses.plain * examples
        self.objective += losses.objective * examples

    def end_epoch(self, loss: float) -> None:
        """Records the end of an epoch; `loss` is the monitored loss."""
        if loss < self.best_loss:
            self.best_loss, self.best_step, self.waited = loss, self.step, 0
        else:
            self.waited += 1
        self.epoch += 1
        self.batches, self.examples, self.seconds = 0, 0, 0.0
        self.loss, self.objective = 0.0, 0.0

    def numbers(self) -> dict[str, Any]:
        """All fields but the arrays, for JSON: those of the attached run, or the saved ones."""
        numbers = {name: value for name, value in vars(self).items() if name in NUMBERS}
        if not hasattr(self, "_optimizer"):
            return numbers
        now = {"optimizer_steps": self._optimizer.steps, "schedule": asdict(self._schedule)}
        return numbers | now

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | self.numbers()


NUMBERS = {name: kind for name, kind in Progress.__annotations__.items() if name != "arrays"}


def _fits(found: Any, like: Any) -> bool:
    """True for numbers, by name, of the names and kinds of `like`; none of them nan."""
    if isinstance(like, dict):
        named = isinstance(found, dict) and found.keys() == like.keys()
        return named and all(_fits(found[name], like[name]) for name in like)
    if isinstance(like, int | float):
        return isinstance(found, int | float) and found == found
    return type(found) is type(like)


def _put(schedule: Schedule, numbers: dict[str, Any]) -> None:
    """Restores the fields of a schedule, and of the one it contains."""
    for name, value in numbers.items():
        if isinstance(value, dict):
            _put(getattr(schedule, name), value)
        else:
            setattr(schedule, name, value)
