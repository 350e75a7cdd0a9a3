"""Run folders: names under runs/, and look-up of a folder or model file by name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.core.errors import ConfigError
from chainrule.core.files import is_file, make_folder, sync_folder
from chainrule.core.places import check_folder
from chainrule.core.tables import nearest
from chainrule.evaluation.learning import caveat
from chainrule.nn.model_file import Model, load_model
from chainrule.runs.values import read_config

RUNS = Path("runs")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_NAMED = 8
"""Most runs named in a message."""
TRAIN_FIRST = "train one first: chainrule train"


def check_name(name: str) -> None:
    """Raises ConfigError unless a folder runs/NAME can be created; without a name, any folder.

    To be asked before the work whose result goes there; `claim_folder` then creates it.
    """
    if name and not NAME.fullmatch(name):
        raise ConfigError(
            f"run name {name!r}: use letters, digits, '.', '_' and '-', a letter or digit first"
        )
    check_folder(RUNS)
    if name and os.path.lexists(RUNS / name):
        raise _taken(name)


def _taken(name: str) -> ConfigError:
    return ConfigError(f"run {name!r} is taken, see {RUNS / name}: give another name")


def claim_folder(name: str, *, otherwise: str) -> Path:
    """Creates a new folder runs/NAME, or runs/OTHERWISE-1, -2, ... without a name.

    Raises ConfigError for a name that is taken or invalid, or where nothing can be written.
    """
    check_name(name)
    make_folder(RUNS)
    number = 1
    while True:
        folder = RUNS / (name or f"{otherwise}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            if name:
                raise _taken(name) from None
            number += 1
        else:
            sync_folder(RUNS)
            return folder


def run_folder(run: str, *, missing: str = "no run {!r}", none: str = TRAIN_FIRST) -> Path:
    """Folder of a run, from its name under runs/ or the folder itself. Raises ConfigError."""
    for folder in (RUNS / run, Path(run)):
        if is_file(folder / "config.toml"):
            return folder
    raise ConfigError(f"{missing.format(run)}: {runs_with('config.toml', like=run) or none}")


def runs_with(name: str, *, like: str) -> str:
    """Runs that have a file of this name, as `there are A, B and 7 more`; empty without any.

    The name nearest to `like` comes first: `did you mean A?`.
    """
    there = sorted(path.parent.name for path in RUNS.glob(f"*/{name}"))
    if not there:
        return ""
    named, more = there[:MOST_NAMED], len(there) - MOST_NAMED
    close = nearest(like, there)
    return (
        (f"did you mean {close}? " if close else "")
        + f"there are {', '.join(named)}"
        + (f" and {more} more in {RUNS}/" if more > 0 else "")
    )


def existing(run: str) -> Path:
    """Folder of a run that can be resumed. Raises ConfigError."""
    folder = run_folder(run, missing="no run {!r} to resume", none="there is none yet")
    if "committee" in read_config(folder / "config.toml"):
        raise ConfigError(f"{run!r} is a committee: run chainrule committee again instead")
    return folder


def contents(folder: Path) -> list[str]:
    """Names in a run folder, without hidden ones."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def find(run: str) -> Path:
    """Model file of a run, from its name under runs/, its folder, or the file itself.

    Raises ConfigError if there is none.
    """
    for path in (Path(run), RUNS / run):
        if is_file(path / "model.safetensors"):
            return path / "model.safetensors"
        if path.is_file():
            return path
    known = runs_with("model.safetensors", like=run) or TRAIN_FIRST
    raise ConfigError(f"no run and no model file {run!r}: {known}")


def model_name(path: Path) -> str:
    """Name of a model: its run, or its file if that lies elsewhere; bytes that are no text escaped.

    Pages and the service tell it to programs that take text only.
    """
    name = path.parent.name if path.name == "model.safetensors" else path.stem
    return name.encode(errors="backslashreplace").decode()


def read_run(run: str) -> tuple[Model, dict[str, Any]]:
    """(model, config.toml as a dict) of a run; the dict is empty for a bare model file."""
    path = find(run)
    config = path.parent / "config.toml"
    return load_model(path), read_config(config) if is_file(config) else {}


def say_caveat(run: str, model: Model, say: Callable[[str], None]) -> None:
    """Says so if the network's training did not end well."""
    if said := caveat(model.summary):
        say(f"warning: {run}: {said}")


def latest() -> str:
    """Default run: the one with the most recently written model. Raises ConfigError without one."""
    models = [path for path in RUNS.glob("*/model.safetensors") if path.is_file()]
    # Ties are broken by name, so that the answer is unique.
    newest = max(models, key=lambda path: (path.stat().st_mtime_ns, path.parent.name), default=None)
    if newest is None:
        raise ConfigError(f"there is no run with a model here: {TRAIN_FIRST}")
    return newest.parent.name
