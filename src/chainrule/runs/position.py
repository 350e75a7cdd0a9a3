"""Position of a saved run: what its checkpoint says must be possible in this run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.errors import ModelFileError
from chainrule.experiments.job import Job
from chainrule.training.checkpoint import Checkpoint
from chainrule.training.checkpoint_values import LARGEST

MOVING = ("rate", "best", "waited")
"""Fields of a schedule that change in training; all others are those of the settings."""


def check_position(folder: Path, checkpoint: Checkpoint, job: Job) -> None:
    """Raises ModelFileError, naming the value, for one that this run cannot come to.

    Settings and data are those that the checkpoint names; so its position follows from the number
    of epochs and batches.
    """
    progress, settings = checkpoint.progress, job.settings
    images = len(job.train[1])
    rows = min(settings.batch_size or images, images)
    an_epoch = -(-images // rows)
    best = (progress.epoch - progress.waited) * an_epoch
    rules = [
        ("number of epochs in its history", len(checkpoint.history), progress.epoch),
        ("epoch", progress.epoch, min(progress.epoch, settings.epochs)),
        ("batches", progress.batches, min(progress.batches, an_epoch)),
        ("examples", progress.examples, min(progress.batches * rows, images)),
        ("step", progress.step, progress.epoch * an_epoch + progress.batches),
        ("best_step", progress.best_step, best),
    ]
    # A compiled step does not count those of the optimizer.
    counted = min(progress.optimizer_steps, progress.step) if settings.compiled else progress.step
    rules.append(("optimizer_steps", progress.optimizer_steps, counted))
    for epoch in checkpoint.history:
        number = epoch["epoch"]
        rules.append((f"step of epoch {number}", epoch["step"], number * an_epoch))
    for name, found, expected in rules:
        if found != expected:
            raise _impossible(folder, f"{name} is {found:,} where it is {expected:,}")
    _check_schedule(folder, progress.schedule, asdict(job.schedule))
    _check_variances(folder, progress.arrays, job)


def _check_schedule(folder: Path, found: Any, planned: dict[str, Any]) -> None:
    if not isinstance(found, dict) or found.keys() != planned.keys():
        raise _impossible(folder, "its schedule is not the one of the settings")
    for name, value in planned.items():
        there = found[name]
        if isinstance(value, dict):
            _check_schedule(folder, there, value)
            continue
        number = isinstance(there, int | float) and not isinstance(there, bool)
        if name in MOVING and number:
            low, high = (0, LARGEST) if name == "rate" else (-np.inf, np.inf)
            if low <= there <= high:
                continue
        if there != value:
            raise _impossible(folder, f"{name} of the schedule is not {value!r}")


def _check_variances(folder: Path, arrays: dict[str, Any], job: Job) -> None:
    """Raises ModelFileError for a running variance below 0 in any copy of the weights."""
    network = job.network.copy()
    for name, array in arrays.items():
        if name.startswith("optimizer.") or array.shape != network.state.shape:
            continue
        np.copyto(network.state, array, casting="unsafe")
        if any((variance < 0).any() for variance in network.variance):
            raise _impossible(folder, f"a variance in its {name} is below 0")


def _impossible(folder: Path, why: str) -> ModelFileError:
    return ModelFileError(
        f"{folder}: its newest checkpoint cannot be one of this run: {why}; nothing was changed: "
        "without that file the checkpoint before it is used"
    )
