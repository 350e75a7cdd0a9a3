"""Resuming a run from its checkpoint, after checks of settings, data and arithmetic."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from chainrule.core.errors import ConfigError, DataError
from chainrule.core.files import remove_temporaries
from chainrule.core.fingerprint import differences
from chainrule.experiments.job import Job, schedule_of
from chainrule.experiments.settings import BEFORE, Settings, as_today
from chainrule.runs.files import check_version
from chainrule.runs.members import is_finished
from chainrule.runs.position import check_position, replay
from chainrule.training.checkpoint import Checkpoint, latest
from chainrule.training.state import Progress

OWN = "put the run's own checkpoints back if this one is of another"


def saved_run(
    folder: Path,
    job: Job,
    checksums: dict[str, str],
    numerics: dict[str, str],
    *,
    say: Callable[[str], None],
    exact: bool,
) -> Checkpoint | None:
    """Newest whole checkpoint of a run; None if there is none yet.

    Raises ConfigError for other settings than it was begun with, DataError for other data,
    ModelFileError for files that cannot be used, NewerFormatError for those of a later version.
    Different arithmetic is a warning, or a ConfigError if it must be `exact`.
    """
    checkpoints = folder / "checkpoints"
    check_version(folder)
    checkpoint = latest(checkpoints, report=say)
    for place in (folder, checkpoints):
        for path in remove_temporaries(place) if place.is_dir() else ():
            say(f"removed: {path}, which was never finished")
    if not checkpoint and is_finished(folder):
        raise ConfigError(
            f"{folder} is finished, and none of its checkpoints can be read: it is left as it is; "
            "to train it again, start a new run: chainrule train --config "
            f"{folder / 'config.toml'}"
        )
    if not checkpoint:
        say(f"{folder}: no whole checkpoint, so training starts from the beginning")
        return None
    _check_same(folder, checkpoint, job.settings, checksums)
    before = checkpoint.settings["epochs"]
    if before != job.settings.epochs:
        settings = replace(job.settings, epochs=before)
        planned = schedule_of(settings, len(job.train[1]))
        check_position(checkpoint, replace(job, settings=settings, schedule=planned))
        _plan_anew(checkpoint, job)
        say(
            f"{folder} was planned for {before:,} epochs and goes on to {job.settings.epochs:,}; "
            "its learning rates are now those of that plan"
        )
    else:
        check_position(checkpoint, job)
    changed = differences(checkpoint.numerics, numerics)
    if changed and exact:
        raise ConfigError(
            f"--require-exact: resuming may not be bit-identical: {'; '.join(changed)}; restore "
            "this, or leave the option out"
        )
    if changed:
        say(f"warning: resuming may not be bit-identical: {'; '.join(changed)}")
    return checkpoint


def _check_same(
    folder: Path, checkpoint: Checkpoint, settings: Settings, checksums: dict[str, str]
) -> None:
    """Raises ConfigError for settings other than the checkpoint's, DataError for other data."""
    here = json.loads(json.dumps(asdict(settings)))
    then = as_today(BEFORE | checkpoint.settings)
    odd = [name for name in here | then if here.get(name) != then.get(name)]
    further = odd == ["epochs"] and here["epochs"] > then["epochs"]
    if odd and not further:
        differing = ", ".join(
            f"{name} {_short(here.get(name))} now, {_short(then.get(name))} then" for name in odd
        )
        raise ConfigError(
            f"{folder} was begun with other settings, says {checkpoint.name}: {differing}; start a "
            f"new run for these, or {OWN}"
        )
    if checkpoint.checksums != checksums:
        raise DataError(
            f"{folder} was begun with other data, the checksums differ from those in "
            f"{checkpoint.name}; put the data back, or start a new run, or {OWN}"
        )


def _plan_anew(checkpoint: Checkpoint, job: Job) -> None:
    """Gives the progress the schedule of the job, which has seen the epochs so far.

    A rate that was set by hand stays.
    """
    _, schedule = replay(checkpoint, job.schedule)
    checkpoint.progress.schedule = _with_rates(asdict(schedule), checkpoint.progress.schedule)


def _with_rates(planned: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The fields of a schedule, and of the one it contains, with the rates that were found."""
    return {
        name: _with_rates(value, found[name]) if isinstance(value, dict)
        else found[name] if name == "rate"
        else value
        for name, value in planned.items()
    }  # fmt: skip


def _short(value: object) -> str:
    """The value in at most 200 characters, however deep it is nested."""
    shortener = reprlib.Repr()
    shortener.maxlist, shortener.maxstring, shortener.maxother = 64, 200, 200
    return shortener.repr(value)[:200]


def so_far(progress: Progress) -> str:
    """Progress of a run, for people."""
    part = f" and {progress.batches} batches" if progress.batches else ""
    return f"{progress.epoch} epochs{part}, step {progress.step}"
