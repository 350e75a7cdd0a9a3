"""Ensembles: several runs in one model file, which averages their probabilities.

The members are runs NAME-seed-0, ... of one recipe, trained first where missing, or finished runs
given by name. The ensemble has a folder of its own, for evaluate, predict, compare.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.core.files import is_file, make_folder
from chainrule.core.places import check_folder
from chainrule.data.dataset import Dataset
from chainrule.data.load import Report
from chainrule.evaluation.assessment import Assessment, assess_saved, beats_guessing
from chainrule.experiments.settings import RUN_FORMAT, text
from chainrule.nn.model_file import Model, save
from chainrule.runs import folder as runs
from chainrule.runs.files import as_tables, check_version, saving, write_config, write_report
from chainrule.runs.lock import only_writer
from chainrule.runs.members import Member, read_member, shared_settings, together
from chainrule.runs.origin import MNIST, Origin, data_of
from chainrule.runs.train_members import Wanted, train_missing
from chainrule.runs.values import read_config

MOST_SEEDS = 256
LONGEST_NAME = 80


@dataclass(frozen=True)
class Ensemble:
    """Ensemble: its members, and their test results together."""

    folder: Path
    recipe: str
    members: tuple[Member, ...]
    assessment: Assessment
    parameters: int

    @property
    def mean_error(self) -> float:
        """Mean test error of the members, each alone, 0..1."""
        return mean(self._errors())

    @property
    def sd_error(self) -> float | None:
        """Standard deviation of the members' errors; None for a single one."""
        errors = self._errors()
        return stdev(errors) if len(errors) > 1 else None

    def _errors(self) -> list[float]:
        return [member.report["test_error"] for member in self.members]

    def guessers(self) -> list[str]:
        """Members that learned nothing that the test images tell from guessing."""
        labels = self.assessment.labels
        return [
            member.run
            for member in self.members
            if not beats_guessing(len(labels) - member.report["errors"], labels)
        ]

    def as_json(self) -> dict[str, Any]:
        """Figures of the members and of the ensemble."""
        found = self.assessment
        guessers = self.guessers()
        seconds = sum(member.report["train_seconds"] for member in self.members)
        return {
            "recipe": self.recipe,
            "members": [
                {"run": member.run}
                | {key: member.report[key] for key in ("recipe", "seed", "errors", "test_error")}
                | {"beats_guessing": member.run not in guessers}
                for member in self.members
            ],
            "mean_error": self.mean_error,
            "sd_error": self.sd_error,
            "test_images": len(found.labels),
            "test_accuracy": found.accuracy,
            "test_error": found.errors / len(found.labels),
            "errors": found.errors,
            "interval": found.interval,
            "beats_guessing": found.beats_guessing,
            "train_seconds": round(seconds, 3),
            "parameters": self.parameters,
            "run": str(self.folder),
        }


def train_ensemble(
    name: str,
    recipe: str,
    seeds: Sequence[int],
    *,
    origin: Origin = MNIST,
    jobs: int = 1,
    threads: int | None = None,
    offline: bool = False,
    quiet: bool = False,
    say: Report,
) -> Ensemble:
    """Makes an ensemble of runs of one recipe; missing or unfinished ones are trained first.

    `threads`: cores of each; None: all, shared by the `jobs` that train at a time. Raises
    ConfigError, DataError, and MemberError where a member did not finish.
    """
    runs_by_seed = {f"{name}-seed-{seed}": seed for seed in seeds}
    check_free(name, list(runs_by_seed))
    wanted = Wanted(runs_by_seed, recipe, origin, threads, offline)
    train_missing(wanted, jobs=jobs, say=say, quiet=quiet)
    return _make(name, list(runs_by_seed), offline=offline, say=say)


def join_runs(name: str, members: Sequence[str], *, offline: bool = False, say: Report) -> Ensemble:
    """Makes an ensemble of finished runs. Raises ConfigError, DataError, ModelFileError."""
    check_free(name, members)
    return _make(name, members, offline=offline, say=say)


def seeds_in(text: str) -> list[int]:
    """Parses seeds, `0,1,4` or `0..4`; ConfigError for anything else, or for a repeated seed."""
    numbers: list[int] = []
    if match := re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", text):
        numbers = list(range(int(match[1]), int(match[2]) + 1)[: MOST_SEEDS + 1])
    elif re.fullmatch(r"\d{1,9}(,\d{1,9})*", text):
        numbers = [int(number) for number in text.split(",")]
    if not 1 <= len(numbers) <= MOST_SEEDS or len(set(numbers)) < len(numbers):
        raise ConfigError(f"seeds {text}: give different whole numbers, such as 0,1,2 or 0..4")
    return numbers


def check_free(name: str, members: Sequence[str]) -> None:
    """Raises ConfigError unless the name is free, or an ensemble of the same members has it."""
    # Its members' names are longer.
    if not runs.NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ConfigError(
            f"name {name!r}: use at most {LONGEST_NAME} letters, digits, '.', '_' and '-', "
            "a letter or digit first"
        )
    text(tuple(members))  # config.toml will name them
    folder = runs.RUNS / name
    check_folder(folder if folder.exists() else runs.RUNS)
    if not folder.exists() or (folder.is_dir() and not runs.contents(folder)):
        return
    config = folder / "config.toml"
    there = read_config(config).get("committee") if is_file(config) else None
    if there != {"members": list(members)}:
        raise ConfigError(
            f"name {name!r} is taken, {folder} is not a committee of {', '.join(members)}: "
            "give another name"
        )
    check_version(folder)


def _make(name: str, members: Sequence[str], *, offline: bool, say: Report) -> Ensemble:
    """Evaluates the members together and writes the ensemble's folder."""
    found = [read_member(run) for run in members]
    model, config = together(found), found[0].config
    dataset = data_of(model, config, "", offline=offline, report=say)
    assessment = assess_saved(name, model, dataset)
    make_folder(runs.RUNS)
    ensemble = Ensemble(
        folder=make_folder(runs.RUNS / name),
        recipe=model.summary["recipe"],
        members=tuple(found),
        assessment=assessment,
        parameters=model.parameter_count,
    )
    _write(ensemble, model, Origin.from_config(config), dataset)
    return ensemble


def _write(ensemble: Ensemble, model: Model, origin: Origin, data: Dataset) -> None:
    found, folder = ensemble.assessment, ensemble.folder
    tables = {
        "committee": {"members": tuple(member.run for member in ensemble.members)},
        "settings": shared_settings(ensemble.members),
        "run": {"recipe": ensemble.recipe, "format": RUN_FORMAT},
        "data": origin.as_config(),
        "checksums": data.checksums,
    }
    details = {"ending": "finished"} | found.details()
    config, again = as_tables(tables), "then: the same command again"
    with only_writer(folder), saving(folder, "its network or figures", remedy=again):
        write_config(folder, config)
        save(model, folder / "model.safetensors")
        write_report(folder, ensemble.as_json() | details)
