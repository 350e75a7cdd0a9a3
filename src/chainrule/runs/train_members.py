"""Training of an ensemble's missing members."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainrule.core.blas import cores
from chainrule.data.load import Report
from chainrule.experiments.job import check_settings, prepare
from chainrule.experiments.recipes import combine
from chainrule.runs.folder import RUNS, check_name, contents
from chainrule.runs.interrupt import interruptible
from chainrule.runs.members import check_begun, is_begun, is_finished
from chainrule.runs.origin import Origin, load_data
from chainrule.runs.processes import Task, run_all

ENDED = (143, -15)
"""Exit codes of a process that got SIGTERM."""


class MemberError(RuntimeError):
    """Failure of a member's training; `code` is the exit code of its process."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.code), vars(self)


@dataclass(frozen=True)
class Wanted:
    """Request for an ensemble's members: runs of one recipe, their seeds and data."""

    seeds: dict[str, int]
    """Name of the run -> its seed."""
    recipe: str
    origin: Origin
    threads: int | None
    """Cores for each; None: all, shared by those that run in parallel."""
    offline: bool


def train_missing(wanted: Wanted, *, jobs: int, say: Report, quiet: bool) -> None:
    """Trains the unfinished runs, `jobs` at a time.

    Ctrl-C, SIGTERM or the failure of one end those that run, which save themselves, and raise
    MemberError. Raises ConfigError or DataError where a run was begun with other settings or data.
    """
    tasks = _tasks(wanted, jobs=jobs, say=say, quiet=quiet)
    say(f"{len(wanted.seeds) - len(tasks)} of {len(wanted.seeds)} members are finished")
    with interruptible() as interrupt:
        endings = run_all(tasks, jobs=jobs, stop=interrupt, say=say)
    failed = {run: ending for run, ending in endings.items() if ending.code}
    if interrupt.signal:
        done = sum(is_finished(RUNS / run) for run in wanted.seeds)
        raise MemberError(
            f"interrupted, {done} of {len(wanted.seeds)} are finished", 128 + interrupt.signal
        )
    if failed:
        # The one that failed first, before those that were terminated because of it.
        run = min(failed, key=lambda run: failed[run].code in ENDED)
        code = failed[run].code
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        said = failed[run].complaint or "it says nothing"
        raise MemberError(f"{run} ended with {how}: {said}", max(code, 1))


def _tasks(wanted: Wanted, *, jobs: int, say: Report, quiet: bool) -> list[Task]:
    """Commands that train the unfinished runs."""
    origin, threads = wanted.origin, wanted.threads
    settings = combine(wanted.recipe)[0]
    check_settings(settings)
    origin.check()
    for run in wanted.seeds:
        if not is_begun(RUNS / run):
            _clear(RUNS / run)
            check_name(run)
    dataset = load_data(origin, offline=wanted.offline, report=say)
    settings = prepare(settings, dataset).settings
    if threads is None:
        threads = max(1, cores() // jobs) if jobs > 1 else 0
    both = ["--json", *["--offline"] * wanted.offline, *["--quiet"] * quiet]
    new = ["--recipe", wanted.recipe, "--data", origin.source]
    new += ["--test-data", origin.test] if origin.test else []
    new += ["--classes", ",".join(origin.classes)] if origin.classes else []
    new += ["--label", origin.label] if origin.label else []
    new += ["--missing", origin.missing] if origin.missing else []
    new += ["--threads", str(threads)] if threads else []
    tasks = []
    for run, seed in wanted.seeds.items():
        folder = RUNS / run
        if is_begun(folder):
            check_begun(run, folder, replace(settings, seed=seed), dataset.checksums)
            if not is_finished(folder):
                tasks.append(Task(run, ("train", "--resume", run, *both)))
            continue
        tasks.append(Task(run, ("train", *new, "--seed", str(seed), "--run", run, *both)))
    return tasks


def _clear(folder: Path) -> None:
    """Removes an empty run folder: its process was killed at the start."""
    if folder.is_dir() and not contents(folder):
        shutil.rmtree(folder)
