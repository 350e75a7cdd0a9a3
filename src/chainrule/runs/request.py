"""Both ends of a training run: the request that it starts from, and the value it returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.core.errors import DivergenceError
from chainrule.evaluation.assessment import Assessment
from chainrule.experiments.settings import Settings
from chainrule.runs.origin import MNIST, Origin
from chainrule.training.checkpointer import Every
from chainrule.training.state import Progress
from chainrule.training.train import Epoch


@dataclass(frozen=True)
class Request:
    """A run that was asked for: settings, data, its name, and what it leaves behind."""

    settings: Settings
    asked_for: frozenset[str] = frozenset()
    """The settings that must fit the data as they stand."""
    recipe: str = "custom"
    origin: Origin = MNIST
    run: str = ""
    """Its name; empty: that of the recipe, with a number."""
    every: Every = field(default_factory=Every)
    resume: Path | None = None
    """The folder of the run to resume."""
    require_exact: bool = False
    offline: bool = False
    pictures: bool = True
    verbose: bool = False


@dataclass(frozen=True)
class TrainedRun:
    """A run that has ended: its folder, how it ended, and what its network is worth."""

    folder: Path
    recipe: str
    seed: int
    parameters: int
    progress: Progress
    history: list[Epoch]
    assessment: Assessment
    total_seconds: float
    by_hand: list[dict[str, Any]]
    """What was changed by hand in the live view."""
    ending: str
    """`finished`, `stopped` (in the live view), `interrupted` or `diverged`."""
    signal: int
    """The signal that interrupted it, or 0."""
    failure: DivergenceError | None

    @property
    def train_seconds(self) -> float:
        """The epochs' seconds, without loading, measuring and drawing."""
        return round(sum(epoch.seconds for epoch in self.history), 3)

    def as_json(self) -> dict[str, Any]:
        """The figures of the run."""
        found = self.assessment
        return {
            "recipe": self.recipe,
            "seed": self.seed,
            "test_accuracy": found.accuracy,
            "test_error": found.errors / len(found.labels),
            "train_seconds": self.train_seconds,
            "total_seconds": self.total_seconds,
            "epochs": len(self.history),
            "run": str(self.folder),
            "parameters": self.parameters,
        }

    def report(self) -> dict[str, Any]:
        """The figures and the details behind them: what report.json holds."""
        found = self.assessment
        details = {
            "ending": self.ending,
            "interval": found.interval,
            "errors": found.errors,
            "confusion": found.confusion.tolist(),
            "mistakes": found.mistakes(),
        }
        by_hand = {"by_hand": self.by_hand} if self.by_hand else {}
        return self.as_json() | details | by_hand
