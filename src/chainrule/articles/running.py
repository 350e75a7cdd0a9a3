"""Training runs of the articles: the effort to spend, and a recorder of their epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from chainrule.articles.claims import Claim, falling
from chainrule.data.dataset import Dataset
from chainrule.experiments.job import Job, prepare, run
from chainrule.experiments.settings import Settings
from chainrule.nn.network import Network
from chainrule.training.evaluate import evaluate
from chainrule.training.train import Epoch, never


@dataclass(frozen=True)
class Effort:
    """Effort: how much of an article to run."""

    seeds: int | None = None
    """Number of runs where the article gives no seed; None: the article's own."""
    quick: bool = False
    """Only what takes seconds."""


@dataclass(frozen=True)
class Moment:
    """State of a training run after an epoch; epoch 0: its beginning."""

    run: str
    epoch: int
    epochs: int
    loss: float
    seconds_left: float
    """Estimate for all planned runs; 0 at epoch 0 of the first, where none is known."""


@dataclass(frozen=True)
class Training:
    """Recorded training run."""

    name: str
    settings: Settings
    network: Network
    history: list[Epoch]


class StopAskedError(Exception):
    """Stop requested; the last step is complete."""


Hear = Callable[[Moment], None]


def deaf(_moment: Moment) -> None:
    """Default listener: ignores everything."""


class Recorder:
    """Recorder of an article's training runs: keeps their epochs and estimates the time left."""

    def __init__(self, hear: Hear = deaf, *, stop: Callable[[], bool] = never) -> None:
        self.hear = hear
        self.stop = stop
        self.trainings: list[Training] = []
        self.planned = self.done = 0
        """Work: the examples seen, over all runs."""
        self.seconds = 0.0

    def plan(self, settings: Settings, data: Dataset, *, runs: int = 1) -> None:
        """Counts future runs towards the time left."""
        count = len(data.train.labels)
        self.planned += runs * settings.epochs * min(settings.examples or count, count)

    def run(self, name: str, job: Job) -> Iterator[Epoch]:
        """Trains the job's network; raises StopAskedError between two steps."""
        settings, examples = job.settings, len(job.train[1])
        training = Training(name, settings, job.network, [])
        self.trainings.append(training)
        # An unplanned run counts from its beginning.
        self.planned = max(self.planned, self.done + settings.epochs * examples)
        self.hear(Moment(name, 0, settings.epochs, float("nan"), self.seconds_left))
        began = perf_counter()
        for epoch in run(job, stop=self.stop):
            self.done += examples
            self.seconds += perf_counter() - began
            training.history.append(epoch)
            self.hear(Moment(name, epoch.epoch, settings.epochs, epoch.loss, self.seconds_left))
            yield epoch
            began = perf_counter()
        if self.stop():
            raise StopAskedError

    @property
    def seconds_left(self) -> float:
        """Estimated seconds for the rest of the planned runs, at the speed so far."""
        return self.seconds * (self.planned / self.done - 1) if self.done else 0.0

    def train(self, name: str, settings: Settings, data: Dataset) -> Job:
        """Job of these settings, trained to its end."""
        job = prepare(settings, data)
        for _ in self.run(name, job):
            pass
        return job


def accuracy(job: Job, part: str) -> float:
    """Accuracy of a job's network in percent, on "train" or "test"."""
    return 100 * evaluate(job.network, job.train if part == "train" else job.test)[1]


def falls(
    claim: str, settings: Settings, data: Dataset, recorder: Recorder, *, every: int,
    seeds: Sequence[int] = (0,),
) -> Claim:  # fmt: skip
    """Claim that the costs fall for each seed; shows their means, and the accuracy's spread."""
    recorder.plan(settings, data, runs=len(seeds))
    costs, accuracies = [], []
    for seed in seeds:
        job = prepare(replace(settings, seed=seed), data)
        costs.append([epoch.loss for epoch in recorder.run(f"seed {seed}", job)][::every])
        accuracies.append(accuracy(job, "test"))
    spread = f" ± {np.std(accuracies, ddof=1):.1f}" if len(seeds) > 1 else ""
    note = f"accuracy on test {np.mean(accuracies):.1f}{spread} %, {seeds_in_words(len(seeds))}"
    all_fall = all(falling(claim, one).verdict == "within" for one in costs)
    shown = falling(claim, np.mean(costs, axis=0).tolist(), note=note)
    return shown if all_fall else replace(shown, verdict="outside")


def seeds_in_words(count: int) -> str:
    """1 seed, 2 seeds, ..."""
    return f"{count} seed{'s' if count != 1 else ''}"
