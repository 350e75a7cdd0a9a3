"""Request and result of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chainrule.core.errors import DivergenceError
from chainrule.data.dataset import Dataset
from chainrule.evaluation.assessment import Assessment
from chainrule.experiments.job import Job, check_settings, prepare
from chainrule.experiments.settings import Settings
from chainrule.runs.files import as_config
from chainrule.runs.folder import check_name
from chainrule.runs.origin import MNIST, Origin
from chainrule.runs.start import Start
from chainrule.training.checkpointer import Every
from chainrule.training.state import Progress
from chainrule.training.train import Epoch


@dataclass(frozen=True)
class Request:
    """Request for a run: settings, data, name, and outputs."""

    settings: Settings
    asked_for: frozenset[str] = frozenset()
    """Settings that must fit the data as they stand."""
    recipe: str = "custom"
    origin: Origin = MNIST
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Checksums that the data must have; empty: any."""
    run: str = ""
    """Name of the run; empty: the recipe's, with a number."""
    start: Start | None = None
    """Weights to start from; None: they are drawn."""
    every: Every = field(default_factory=Every)
    resume: Path | None = None
    """Folder of the run to resume."""
    require_exact: bool = False
    offline: bool = False
    pictures: bool = True
    verbose: bool = False


def check_request(request: Request) -> None:
    """Raises ConfigError for a request that no data can make right: ask before loading any."""
    if not request.resume:
        check_name(request.run)
        request.origin.check()
    check_settings(request.settings)


def job_of(request: Request, data: Dataset) -> tuple[Job, bytes]:
    """(job of a request, with the weights that it starts from; content of its config.toml)."""
    job = prepare(request.settings, data, asked_for=request.asked_for)
    if request.start:
        request.start.put(job.network)
    config = as_config(
        job.settings, data, recipe=request.recipe, origin=request.origin,
        start=request.start.as_config() if request.start else None,
    )  # fmt: skip
    return job, config


def best_epoch(settings: Settings, progress: Progress, history: list[Epoch]) -> int | None:
    """Epoch whose weights are left, if patience has a say in it."""
    steps = {epoch.step: epoch.epoch for epoch in history}
    return steps.get(progress.best_step) if settings.patience else None


@dataclass(frozen=True)
class TrainedRun:
    """Result of a run: its folder, how it ended, and its network's accuracy."""

    folder: Path
    recipe: str
    seed: int
    parameters: int
    images: dict[str, int]
    """How many were trained on, and how many held out for validation."""
    planned: int
    """Epochs asked for."""
    progress: Progress
    history: list[Epoch]
    assessment: Assessment
    warning: str
    """What is wrong with the network, and the remedy; empty: nothing."""
    best_epoch: int | None
    """Epoch whose weights are left, that of the lowest validation loss; None without patience."""
    total_seconds: float
    by_hand: list[dict[str, Any]]
    """Changes by hand in the live view."""
    ending: str
    """`finished`, `stopped` (in the live view), `interrupted` or `diverged`."""
    signal: int
    """Signal that interrupted it, or 0."""
    failure: DivergenceError | None

    @property
    def train_seconds(self) -> float:
        """Seconds of the epochs, without loading, evaluation and drawing."""
        return round(sum(epoch.seconds for epoch in self.history), 3)

    def remarks(self) -> list[str]:
        """Sentences on the network besides its accuracy: whose weights it has, what is wrong."""
        done, said = len(self.history), []
        if self.best_epoch and (self.best_epoch < done or done < self.planned):
            early = f"stopped early, after {done} of {self.planned} epochs: "
            said.append(
                f"{early if self.ending == 'finished' and done < self.planned else ''}"
                f"the weights are those of epoch {self.best_epoch}, with the lowest validation loss"
            )
        return [*said, *filter(None, [self.warning])]

    def as_json(self) -> dict[str, Any]:
        """Figures of the run."""
        found = self.assessment
        return {
            "recipe": self.recipe,
            "seed": self.seed,
            **self.images,
            "test_accuracy": found.accuracy,
            "test_error": found.errors / len(found.labels),
            "test_images": len(found.labels),
            "beats_guessing": found.beats_guessing,
            "warning": self.warning or None,
            "train_seconds": self.train_seconds,
            "total_seconds": self.total_seconds,
            "epochs": len(self.history),
            "planned_epochs": self.planned,
            "best_epoch": self.best_epoch,
            "run": str(self.folder),
            "parameters": self.parameters,
        }

    def report(self) -> dict[str, Any]:
        """Contents of report.json: the figures and the details behind them."""
        found = self.assessment
        details = {
            "ending": self.ending,
            "interval": found.interval,
            "errors": found.errors,
            **found.details(),
        }
        by_hand = {"by_hand": self.by_hand} if self.by_hand else {}
        return self.as_json() | details | by_hand
