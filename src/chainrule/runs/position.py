"""Position of a saved run: what its checkpoint says must be possible in this run."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import asdict
from math import inf
from typing import Any

import numpy as np

from chainrule.core.errors import ModelFileError
from chainrule.core.rules import LARGEST
from chainrule.experiments.job import Job
from chainrule.optim.schedules import Schedule
from chainrule.training.checkpoint import Checkpoint
from chainrule.training.divergence import infinite
from chainrule.training.state import Progress


def check_position(checkpoint: Checkpoint, job: Job) -> None:
    """Raises ModelFileError, naming file and value, for one that this run cannot come to.

    Settings and data are those that the checkpoint names. So its position follows from the number
    of epochs and batches, and what was best from the losses of its history.
    """
    for why in _objections(checkpoint, job):
        raise ModelFileError(
            f"{checkpoint.path}: it cannot be a checkpoint of this run: {why}; nothing was "
            "changed: without that file the checkpoint before it is used"
        )


def _objections(checkpoint: Checkpoint, job: Job) -> Iterator[str]:
    yield from _about_losses(checkpoint, job)
    yield from _about_position(checkpoint, job)
    yield from _about_arrays(checkpoint.progress, job)


def _about_position(checkpoint: Checkpoint, job: Job) -> Iterator[str]:
    progress, settings = checkpoint.progress, job.settings
    images = len(job.train[1])
    rows = min(settings.batch_size or images, images)
    an_epoch = -(-images // rows)
    # A compiled step does not count those of the optimizer.
    counted = min(progress.optimizer_steps, progress.step) if settings.compiled else progress.step
    rules = [
        ("number of epochs in its history", len(checkpoint.history), progress.epoch),
        ("epoch", progress.epoch, min(progress.epoch, settings.epochs)),
        ("batches", progress.batches, min(progress.batches, an_epoch)),
        ("examples", progress.examples, min(progress.batches * rows, images)),
        ("step", progress.step, progress.epoch * an_epoch + progress.batches),
        ("optimizer_steps", progress.optimizer_steps, counted),
    ]
    for epoch in checkpoint.history:
        number = epoch["epoch"]
        rules.append((f"step of epoch {number}", epoch["step"], number * an_epoch))
    replayed, schedule = replay(checkpoint, job.schedule)
    for name in ("best_loss", "best_step", "waited"):
        rules.append((name, getattr(progress, name), getattr(replayed, name)))
    if not progress.batches:
        rules += [(name, getattr(progress, name), 0) for name in ("loss", "objective", "seconds")]
    for name, found, expected in rules:
        if found != expected:
            yield f"{name} is {found:,} where it is {expected:,}"
    yield from _about_schedule(progress.schedule, asdict(schedule))


def replay(checkpoint: Checkpoint, schedule: Schedule) -> tuple[Progress, Schedule]:
    """(what was best by the losses of the history, a copy of the schedule that has seen them)."""
    progress, seen = Progress(), copy(schedule)
    for epoch in checkpoint.history:
        loss = epoch["validation_loss"]
        monitored = epoch.get("objective", epoch["loss"]) if loss is None else loss
        progress.step = epoch["step"]
        progress.end_epoch(monitored)
        seen.observe(monitored)
    return progress, seen


def _about_schedule(found: Any, expected: dict[str, Any]) -> Iterator[str]:
    """All but its rate, which may have been changed by hand, follows from settings and losses."""
    if not isinstance(found, dict) or found.keys() != expected.keys():
        yield "its schedule is not the one of the settings"
        return
    for name, value in expected.items():
        there = found[name]
        if isinstance(value, dict):
            yield from _about_schedule(there, value)
        elif isinstance(there, bool) or not isinstance(there, int | float | None):
            yield f"{name} of the schedule is not a number"
        elif name == "rate" and there is not None and 0 <= there <= LARGEST:
            continue
        elif there != value:
            yield f"{name} of the schedule is not {value!r}"


def _about_losses(checkpoint: Checkpoint, job: Job) -> Iterator[str]:
    """What is minimised is the loss and the penalty, but for label smoothing."""
    settings, progress = job.settings, checkpoint.progress
    most = min(4 * float(np.finfo(job.network.dtype).max), LARGEST)
    records = [(f"epoch {each['epoch']}", each, most) for each in checkpoint.history]
    for where, record, limit in (
        *records, ("the current epoch", vars(progress), min(most * progress.examples, LARGEST))
    ):  # fmt: skip
        loss = record["loss"]
        objective = record.get("objective", loss)
        if max(loss, objective) > limit:
            yield f"the loss of {where} is {max(loss, objective):g}, at most {limit:g} is possible"
        if not settings.label_smoothing and (
            objective < loss or (objective > loss and not settings.l2)
        ):
            yield f"the objective of {where} is {objective:g}, and its loss {loss:g}"
    for where, record, _ in records:
        measured = record["validation_loss"]
        if measured is not None and most < measured < inf:
            yield f"the validation loss of {where} is {measured:g}, at most {most:g} is possible"
        absent = [record[name] is None for name in ("validation_loss", "validation_accuracy")]
        if absent != [job.validation is None] * 2:
            yield f"{where} was validated, or was not, against the settings"


def _about_arrays(progress: Progress, job: Job) -> Iterator[str]:
    """Their names, shapes and types; variances of 0 or more; what the divergence guard asks."""
    network, memory, found = job.network.copy(), job.optimizer.state, progress.arrays
    weights = dict.fromkeys(("parameters", "kept", "best"), network.state)
    if not job.settings.patience:
        weights["best"] = network.state[:0]
    if job.settings.average:
        weights["average"] = network.state
    expected = weights | {f"optimizer.{slot}": values for slot, values in memory.items()}
    here, there = (
        {name: (a.shape, a.dtype) for name, a in arrays.items()} for arrays in (expected, found)
    )
    if here != there:
        odd = sorted({ascii(name[:40]) for name, _ in here.items() ^ there.items()})
        yield f"its arrays {', '.join(odd[:8])} are not those of the settings"
        return
    for name in weights:
        if not found[name].size:
            continue
        np.copyto(network.state, found[name])
        if any((variance < 0).any() for variance in network.variance):
            yield f"a variance in its {name} is below 0"
        # All have passed the guard, but for the parameters within an epoch.
        if name != "parameters" or not progress.batches:
            with np.errstate(over="ignore", invalid="ignore"):
                what = infinite(network, ())
            if what:
                yield f"{what} became infinite in its {name}"
