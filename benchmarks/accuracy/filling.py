"""Filling of records.json: trains the missing runs one at a time, recording each when finished."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.accuracy.goals import COMMITTEE, OF, SEEDS
from benchmarks.accuracy.rows import Row, put, read, row_of
from benchmarks.contention import MANY, now, others_since
from benchmarks.machine import machine
from chainrule.core.blas import cores
from chainrule.experiments.job import prepare
from chainrule.experiments.recipes import RECIPES, combine
from chainrule.experiments.settings import Settings, read_toml
from chainrule.runs.folder import RUNS
from chainrule.runs.members import differing, is_begun, is_finished
from chainrule.runs.origin import Origin, load_data
from chainrule.runs.processes import Task, run_all

QUIET = ("--json", "--quiet")


@dataclass(frozen=True)
class Filling:
    """How to run: whether to stop now, and where to say what goes on."""

    stop: Callable[[], bool]
    say: Callable[[str], None]
    jobs: int = 1
    """Runs at a time; more than one share the cores out."""


class FailedError(RuntimeError):
    """A run that ended otherwise than it should."""


def fill(recipes: Sequence[str], seeds: Sequence[int], filling: Filling) -> int:
    """Runs what the table lacks of these recipes and seeds; how many runs failed.

    One seed of each recipe before the next seed, the committee last. Ends early when
    `filling.stop` says so: a run that is under way saves itself, and goes on next time.
    """
    failures = 0
    planned = list(plan(recipes, seeds))
    for first in range(0, len(planned), filling.jobs):
        together = planned[first : first + filling.jobs]
        if filling.jobs > 1:
            side_by_side(together, filling)
        for recipe, seed in together:
            if filling.stop():
                return failures
            try:
                fill_row(recipe, seed, filling)
            except FailedError as error:
                filling.say(f"error: {error}")
                failures += 1
    return failures


def fill_row(recipe: str, seed: int | None, filling: Filling) -> None:
    """Runs and measures what the table lacks of one run, or of the committee."""
    if seed is None:
        committee(filling)
    else:
        single(recipe, seed, filling)
    if seed in (0, None):
        corrupted(recipe, seed, filling)


def side_by_side(planned: Sequence[tuple[str, int | None]], filling: Filling) -> None:
    """Trains these runs at the same time, each on its share of the cores, as far as they lack.

    One that fails ends the others, which go on alone then.
    """
    threads = max(1, cores() // filling.jobs)
    tasks = [
        task
        for recipe, seed in planned
        if seed is not None and (task := training(recipe, seed, filling, threads=threads))
    ]
    run_all(tasks, jobs=filling.jobs, stop=filling.stop, say=filling.say)


def plan(recipes: Sequence[str], seeds: Sequence[int]) -> Iterator[tuple[str, int | None]]:
    """(recipe, seed) in the order of running."""
    for seed in seeds:
        for recipe in recipes:
            if recipe != COMMITTEE:
                yield recipe, seed
    if COMMITTEE in recipes:
        yield COMMITTEE, None


def run_name(recipe: str, seed: int | None) -> str:
    """Its folder under runs/."""
    return f"records-{recipe}" if seed is None else f"records-{recipe}-{seed}"


def row_there(recipe: str, seed: int | None) -> Row | None:
    """The row of this run, unless there is none or its recipe has changed."""
    found = [row for row in read() if (row.recipe, row.seed) == (recipe, seed)]
    return found[0] if found and not found[0].is_stale() else None


def single(recipe: str, seed: int, filling: Filling) -> None:
    """Runs one recipe with one seed, unless its row is there."""
    if row_there(recipe, seed):
        return
    if recipe not in RECIPES:
        filling.say(f"{recipe}: there is no such recipe yet")
        return
    name = run_name(recipe, seed)
    folder = RUNS / name
    begun, others = now(), None
    task = training(recipe, seed, filling)
    resumed = task is None or "--resume" in task.arguments
    if task:
        if not ran(task, filling):
            return
        others = others_since(begun)
    row = row_of(folder, recipe, seed, machine=machine(), resumed=resumed, others=others)
    put(row)
    filling.say(f"{name}: {row.errors} wrong, {row.train_seconds:.1f} s of training")
    if others and others > MANY:
        filling.say(f"{name}: others kept {others} cores busy meanwhile; see --again")
    # Several times as large as the model, and done with.
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def training(recipe: str, seed: int, filling: Filling, *, threads: int = 0) -> Task | None:
    """The command that makes a run or goes on with it; None where there is nothing to do."""
    if row_there(recipe, seed) or recipe not in RECIPES:
        return None
    name = run_name(recipe, seed)
    folder = RUNS / name
    if folder.exists() and not is_same(folder, recipe, seed):
        filling.say(f"{name}: was begun with other settings, begins again")
        shutil.rmtree(folder)
    if is_finished(folder):
        return None
    filling.say(f"{name}: {'goes on' if folder.exists() else 'begins'}")
    if folder.exists():
        return Task(name, ("train", "--resume", name, *QUIET))
    share = ("--threads", str(threads)) if threads else ()
    new = ("--recipe", recipe, "--seed", str(seed), "--run", name, *share)
    return Task(name, ("train", *new, *QUIET))


def is_same(folder: Path, recipe: str, seed: int) -> bool:
    """Whether a run that is there was begun with what the recipe is now."""
    if not is_begun(folder):
        return False
    found = read_toml(folder / "config.toml")
    return found.get("seed") == seed and not differing(found, fitted(recipe))


def fitted(recipe: str) -> Settings:
    """The recipe's settings as a run on MNIST has them."""
    data = load_data(Origin(), offline=False, report=lambda line: None)
    return prepare(combine(recipe)[0], data).settings


def committee(filling: Filling) -> None:
    """Makes the committee of five runs, once their rows and their folders are there."""
    if row_there(COMMITTEE, None):
        return
    members = [run_name(OF, seed) for seed in SEEDS]
    missing = [
        name
        for name, seed in zip(members, SEEDS, strict=True)
        if not (row_there(OF, seed) and is_finished(RUNS / name))
    ]
    if missing:
        filling.say(f"{COMMITTEE}: not yet, for want of {', '.join(missing)}")
        return
    name = run_name(COMMITTEE, None)
    if ran(Task(name, ("committee", name, "--members", ",".join(members), *QUIET)), filling):
        row = row_of(RUNS / name, COMMITTEE, None, machine=machine(), resumed=True)
        put(row)
        filling.say(f"{name}: {row.errors} wrong")


def corrupted(recipe: str, seed: int | None, filling: Filling) -> None:
    """Measures a run on corrupted test images, once its row is there without that."""
    row, name = row_there(recipe, seed), run_name(recipe, seed)
    if not row or row.corrupted or not (RUNS / name / "model.safetensors").is_file():
        return
    try:
        answer = ran(Task(name, ("evaluate", name, "--corrupted", *QUIET)), filling)
    except FailedError as error:
        if "No such option" not in str(error):
            raise
        filling.say(f"{name}: not measured on corrupted images, evaluate cannot do that yet")
        return
    if answer:
        found = answer.get("corrupted", answer)
        try:
            each = {kind: one["mean"] for kind, one in found["corruptions"].items()}
            put(replace(row, corrupted={"mean": found["mean"], "each": each}))
        except (KeyError, TypeError) as error:
            raise FailedError(f"evaluate {name} --corrupted: no {error} in its answer") from None


def ran(task: Task, filling: Filling) -> dict[str, Any]:
    """What the command answered; empty if it was asked to end. Raises FailedError."""
    (ending,) = run_all([task], jobs=1, stop=filling.stop, say=filling.say).values()
    if ending.code == 0:
        answer: dict[str, Any] = json.loads(ending.out)
        return answer
    if filling.stop():
        return {}
    command = " ".join(task.arguments)
    raise FailedError(f"chainrule {command}: exit code {ending.code}: {ending.complaint}")
