"""A run is a folder: what was asked for, how it went, the network, the figures, the pictures."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import __version__
from chainrule.core.errors import ConfigError, DataError
from chainrule.core.files import make_folder, sync_folder, write_atomically
from chainrule.data.catalog import SOURCES
from chainrule.data.dataset import Dataset, Examples
from chainrule.data.load import Report, load
from chainrule.experiments.settings import Settings, as_toml, checked, read_tables, text
from chainrule.nn.model_file import Model, load_model
from chainrule.training.train import Epoch

RUNS = Path("runs")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_NAMED = 8
"""Runs that a message names."""
TRAIN_FIRST = "train one first: chainrule train"


def claim_folder(name: str, *, otherwise: str) -> Path:
    """Makes a new folder runs/NAME, or runs/OTHERWISE-1, -2, ... without a name.

    Raises ConfigError for a name that is taken or is not one.
    """
    if name and not NAME.fullmatch(name):
        raise ConfigError(
            f"run name {name!r}: use letters, digits, '.', '_' and '-', a letter or digit first"
        )
    make_folder(RUNS)
    number = 1
    while True:
        folder = RUNS / (name or f"{otherwise}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            if name:
                raise ConfigError(
                    f"run {name!r} is taken, see {folder}: give another name"
                ) from None
            number += 1
        else:
            sync_folder(RUNS)
            return folder


def run_folder(run: str, *, missing: str = "no run {!r}", none: str = TRAIN_FIRST) -> Path:
    """The folder of a run: its name under runs/, or the folder itself. Raises ConfigError."""
    for folder in (RUNS / run, Path(run)):
        if (folder / "config.toml").is_file():
            return folder
    raise ConfigError(f"{missing.format(run)}: {runs_with('config.toml') or none}")


def runs_with(name: str) -> str:
    """The runs that have a file of this name, as `there are A, B and 7 more`; empty without any."""
    there = sorted(path.parent.name for path in RUNS.glob(f"*/{name}"))
    named, more = there[:MOST_NAMED], len(there) - MOST_NAMED
    if not there:
        return ""
    return f"there are {', '.join(named)}" + (f" and {more} more in {RUNS}/" if more > 0 else "")


def existing(run: str) -> Path:
    """The folder of a run that training can go on with. Raises ConfigError."""
    folder = run_folder(run, missing="no run {!r} to go on with", none="there is none yet")
    if "committee" in read_tables(folder / "config.toml"):
        raise ConfigError(f"{run!r} is a committee: chainrule committee makes it anew")
    return folder


def origin_of(folder: Path) -> tuple[str, Origin]:
    """(recipe, where the data came from) of a run, as its config.toml tells."""
    config = read_tables(folder / "config.toml")
    run = config.get("run", {})
    if not isinstance(run, dict):
        raise ConfigError(f"{folder / 'config.toml'}: [run] is a table; mend it")
    return str(run.get("recipe", "custom")), Origin.from_config(config)


def contents(folder: Path) -> list[str]:
    """The names in a run folder, but for its hidden ones."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def write_config(
    folder: Path, settings: Settings, data: Dataset, *, recipe: str, origin: Origin
) -> None:
    """config.toml: everything that decides the result. `train --config` takes it again."""
    tables = {
        "run": {"recipe": recipe},
        "data": origin.as_config(),
        "checksums": data.checksums,
    }
    write_tables(folder, tables, before=as_toml(settings))


def write_tables(folder: Path, tables: dict[str, dict[str, Any]], *, before: str = "") -> None:
    """config.toml of these tables and of what they were made with, behind the text `before`."""
    environment = {
        "chainrule": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }
    lines = [before] if before else []
    for name, values in (tables | {"environment": environment}).items():
        lines += [f"[{name}]", *(f"{key} = {text(value)}" for key, value in values.items()), ""]
    write_atomically(folder / "config.toml", "\n".join(lines).encode())


def write_history(folder: Path, history: list[Epoch]) -> None:
    """history.jsonl: one JSON object an epoch."""
    lines = [json.dumps(asdict(epoch)) + "\n" for epoch in history]
    write_atomically(folder / "history.jsonl", "".join(lines).encode())


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """report.json: the figures of the run."""
    write_atomically(folder / "report.json", (json.dumps(report, indent=2) + "\n").encode())


def find(run: str) -> Path:
    """The model file of a run: its name under runs/, its folder, or the file itself.

    Raises ConfigError if there is none.
    """
    for path in (Path(run), RUNS / run):
        if path.is_dir() and (path / "model.safetensors").is_file():
            return path / "model.safetensors"
        if path.is_file():
            return path
    known = runs_with("model.safetensors") or TRAIN_FIRST
    raise ConfigError(f"no run and no model file {run!r}: {known}")


def model_name(path: Path) -> str:
    """What a model is called: its run, or its file where it lies elsewhere."""
    return path.parent.name if path.name == "model.safetensors" else path.stem


def read_run(run: str) -> tuple[Model, dict[str, Any]]:
    """(model, config.toml as a dict) of a run; the dict is empty for a bare model file."""
    path = find(run)
    config = path.parent / "config.toml"
    if not config.is_file():
        return load_model(path), {}
    return load_model(path), read_tables(config)


@dataclass(frozen=True)
class Origin:
    """Where data come from: a known name or a path, maybe another path for the test part."""

    source: str = "mnist"
    test: str = ""
    classes: tuple[str, ...] = ()
    """Names of the labels 0, 1, ...; empty: digits, or the names of folders."""

    def as_config(self) -> dict[str, Any]:
        """The table [data] of config.toml, with paths that hold from anywhere."""
        paths = {} if self.source in SOURCES else {"source": self.source, "test": self.test}
        absolute = {key: str(Path(path).absolute()) for key, path in paths.items() if path}
        return {"source": self.source} | absolute | {"classes": self.classes}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Origin:
        """What `as_config` wrote into a configuration."""
        table = config.get("data", {})
        classes = table.get("classes", ()) if isinstance(table, dict) else None
        if not isinstance(classes, list | tuple):
            raise ConfigError("config.toml: [data] is a table, its classes are a list; mend it")
        classes = tuple(map(str, classes))
        return cls(str(table.get("source", "mnist")), str(table.get("test", "")), classes)


def load_data(origin: Origin, *, offline: bool, report: Report) -> Dataset:
    """The data set that --data, --test-data and --classes ask for."""
    if origin.source in SOURCES and not origin.test:
        return load(origin.source, offline=offline or None, report=report)
    return load(path=origin.source, test_path=origin.test or None, classes=origin.classes or None)


def data_of(
    model: Model, config: dict[str, Any], source: str, *, offline: bool, report: Report
) -> Dataset:
    """The data to measure a model on: `source` if given, else those it was trained with.

    Raises DataError where they do not fit the model, or are not what they were.
    """
    trained_with = Origin.from_config(config)
    origin = Origin(source, classes=trained_with.classes) if source else trained_with
    data = load_data(origin, offline=offline, report=report)
    if not source and config.get("checksums", data.checksums) != data.checksums:
        raise DataError(
            f"{data.source}: not the data that the run was trained with, the checksums differ; "
            "give the data to measure on with --data"
        )
    check_fit(model, data)
    return data


def check_fit(model: Model, data: Dataset) -> None:
    """Raises DataError unless the network takes these images and knows these classes."""
    inputs, classes = model.inputs, model.outputs
    if data.test.images.shape[1] != inputs or len(data.classes) != classes:
        raise DataError(
            f"{data.source}: images of {data.test.images.shape[1]} pixels in {len(data.classes)} "
            f"classes, the network takes {inputs} pixels and has {classes} classes; "
            "give the data it was made for"
        )


def held_out(config: dict[str, Any], data: Dataset) -> tuple[Examples | None, str]:
    """(the examples that a run held out from training, why there are none).

    The last `validation` of its training examples, as `experiments.job.prepare` takes them.
    Raises ConfigError where the run's config.toml cannot be right.
    """
    settings, sums = config.get("settings"), config.get("checksums")
    if not isinstance(settings, dict) or not isinstance(sums, dict):
        return None, "without a whole config.toml nothing tells what training held out"
    count = checked("validation", settings.get("validation", 0))
    if not count:
        return None, "training held out no images; to hold some out: train --validation 5000"
    if any(sums.get(part) != data.checksums[part] for part in ("train_images", "train_labels")):
        return None, "the images that training held out are not part of these data"
    images, labels = data.train
    end = checked("examples", settings.get("examples", 0)) or len(labels)
    images, labels = images[:end], labels[:end]
    if count >= len(labels):
        raise ConfigError(
            f"config.toml: validation {count} of {len(labels):,} training examples; "
            "the run held out fewer, restore its config.toml"
        )
    return Examples(images[-count:], labels[-count:]), ""


def newest_run() -> str:
    """The name of the newest run with a model under runs/. Raises ConfigError without one."""
    from chainrule.core.errors import ConfigError

    models = RUNS.glob("*/model.safetensors")
    # Of two in the same moment the later name, so that there is one answer.
    newest = max(models, key=lambda path: (path.stat().st_mtime_ns, path.parent.name), default=None)
    if newest is None:
        raise ConfigError(f"there is no run with a model here: {TRAIN_FIRST}")
    return newest.parent.name
