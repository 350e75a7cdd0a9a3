"""Where a run of training is between two steps, and all that its next steps depend on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any

import numpy as np

from chainrule.core.arrays import Array
from chainrule.optim.optimizers import Optimizer
from chainrule.optim.schedules import Schedule


@dataclass
class Progress:
    """Give one to `train`, and it always tells where that run is; the same one goes on from there.

        progress = Progress()
        train(network, examples, rng=rng, progress=progress, stop=...)

    The order of the examples comes from the seed and the epoch's number, so it needs no place here.
    """

    epoch: int = 0
    """Whole epochs done."""
    step: int = 0
    """Steps taken."""
    batches: int = 0
    """Batches done of the epoch under way."""
    examples: int = 0
    """Their examples."""
    loss: float = 0.0
    """The sum of those examples' losses."""
    seconds: float = 0.0
    """The time that these batches took."""
    best_loss: float = inf
    """The lowest validation loss (without validation: training loss) of an epoch."""
    best_step: int = 0
    """The steps taken when it was measured."""
    waited: int = 0
    """Epochs since then."""
    optimizer_steps: int = 0
    schedule: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    """The parameters, those to fall back on, the best ones, and what the optimizer remembers."""

    def attach(self, arrays: dict[str, Array], optimizer: Optimizer, schedule: Schedule) -> None:
        """Begins to follow a run; if there are saved arrays, that run is first put where they are.

        Raises ValueError if they are those of another run.
        """
        if self.arrays:
            here, there = (
                {k: (v.shape, v.dtype) for k, v in a.items()} for a in (arrays, self.arrays)
            )
            if here != there:
                odd = sorted({name for name, _ in here.items() ^ there.items()})
                raise ValueError(
                    f"this progress is of another run: {', '.join(odd)} differ; go on with the "
                    "network, the optimizer and the patience that it began with"
                )
            for name, values in self.arrays.items():
                np.copyto(arrays[name], values)
            # Those of the run that it followed until now, or those that were saved.
            numbers = self.numbers() if hasattr(self, "_optimizer") else vars(self)
            optimizer.steps = numbers["optimizer_steps"]
            _put(schedule, numbers["schedule"])
        self.arrays = arrays
        self._optimizer, self._schedule = optimizer, schedule

    def add(self, loss: float, examples: int) -> None:
        """One more step has been taken."""
        self.step += 1
        self.batches += 1
        self.examples += examples
        self.loss += loss * examples

    def end_epoch(self, loss: float) -> None:
        """One more epoch is done; `loss` is what its success is measured by."""
        if loss < self.best_loss:
            self.best_loss, self.best_step, self.waited = loss, self.step, 0
        else:
            self.waited += 1
        self.epoch += 1
        self.batches, self.examples, self.loss, self.seconds = 0, 0, 0.0, 0.0

    def numbers(self) -> dict[str, Any]:
        """Everything but the arrays, as JSON can hold it."""
        now = {"optimizer_steps": self._optimizer.steps, "schedule": asdict(self._schedule)}
        return {name: value for name, value in vars(self).items() if name in NUMBERS} | now


NUMBERS = {name: kind for name, kind in Progress.__annotations__.items() if name != "arrays"}


def _put(schedule: Schedule, numbers: dict[str, Any]) -> None:
    """Gives a schedule, and the one it contains, the numbers of another of its kind."""
    for name, value in numbers.items():
        if isinstance(value, dict):
            _put(getattr(schedule, name), value)
        else:
            setattr(schedule, name, value)
