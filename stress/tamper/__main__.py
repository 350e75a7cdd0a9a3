"""Tampering test: checkpoints with one wrong value under a right checksum, each then resumed.

    python -m stress.tamper --changes 10000

Each must be refused in a sentence that names it, or train on to the end, or to a divergence that is
said, with numbers that are finite.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.errors import ConfigError, DataError, ModelFileError
from chainrule.core.tensor_file import Tensors, read_sealed, write_sealed
from chainrule.experiments.job import prepare, run
from chainrule.experiments.settings import Settings
from chainrule.nn.model_file import load_model
from chainrule.runs.files import as_config, write_config
from chainrule.runs.origin import Origin, load_data
from chainrule.runs.request import Request, TrainedRun
from chainrule.runs.run import MODEL, train_run
from chainrule.training.checkpoint import FORMAT, HISTORY, Checkpoint, write_checkpoint
from chainrule.training.state import Progress
from stress.table import Row, none_of

SETTINGS = Settings(
    layers=(36, 8, 3), epochs=4, batch_size=20, validation=20, patience=3, average=0.9,
    batch_norm=True, schedule="plateau",
)  # fmt: skip
SAVED = (3, 5, 9, 10, 13)
"""Steps after which the run is saved; an epoch has five."""
WORDS = ("progress", "settings", "checksums", "numerics")
VALUES: tuple[Any, ...] = (
    *(-1, 0, 1, 7, 2**31, 2**63, -(2**63), 10**18, 10**30, 10**400, True, None, [], {}, [0]),
    *(-1e300, 1e300, 3e38, -3e38, 1e19, -1e-3, 0.5, float("inf"), float("-inf"), float("nan")),
    *("", "x", "\x1b[2J", "\x7f", "\ud800", "x" * 5000, {"rate": 1}),
)
NUMBERS = (float("nan"), float("inf"), 3e38, -3e38, 1e19, -1e19, 1e6, -1.0, 0.0, 1e-45)


@dataclass
class Figures:
    """What became of the changed checkpoints."""

    refused: int = 0
    finished: int = 0
    diverged: int = 0
    """Ended, in words, where numbers blew up."""
    unwritten: int = 0
    """Changes that no file can hold."""
    tracebacks: int = 0
    unnamed: int = 0
    """Refusals that do not name the file, or the run."""
    not_finite: int = 0
    """Runs that ended with numbers that are not finite."""

    def failures(self) -> int:
        """Number of broken promises."""
        return self.tracebacks + self.unnamed + self.not_finite


def base(place: Path) -> tuple[Request, list[Path]]:
    """(request to resume a run in this folder, its checkpoints at several steps)."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 130)
    images = np.clip(rng.integers(0, 90, (130, 36)) + 50 * labels[:, None], 0, 255)
    np.savetxt(place / "data.csv", np.column_stack([labels, images]), fmt="%d", delimiter=",")
    origin = Origin(str(place / "data.csv"))
    data = load_data(origin, offline=True, report=ignored)
    job = prepare(SETTINGS, data)
    progress, history, paths = Progress(), list[dict[str, Any]](), list[Path]()

    def save() -> bool:
        if progress.step in SAVED:
            known = {"numpy": "2", "processor": "of another machine"}
            checkpoint = Checkpoint(
                progress, history, asdict(job.settings), dict(data.checksums), known
            )
            paths.append(write_checkpoint(place / f"step-{progress.step}", checkpoint))
        return False

    for epoch in run(job, stop=save, progress=progress):
        history.append(asdict(epoch))
    folder = place / "victim"
    folder.mkdir()
    write_config(folder, as_config(job.settings, data, recipe="custom", origin=origin))
    return Request(job.settings, origin=origin, resume=folder, pictures=False), paths


def ignored(line: str) -> None:
    """Takes a line and does nothing with it."""
    del line


def changed(arrays: Tensors, words: dict[str, Any], rng: np.random.Generator) -> str:
    """Changes one value, in place; returns what was changed, in words."""
    kind = rng.integers(8)
    if kind < 3:
        return _change_array(arrays, rng)
    name = HISTORY if kind < 5 else WORDS[0] if kind < 7 else str(rng.choice(WORDS))
    parent, key, where = words, name, name
    while isinstance(parent[key], dict | list) and parent[key] and rng.random() < 0.97:
        parent = parent[key]
        key = rng.integers(len(parent)) if isinstance(parent, list) else str(rng.choice([*parent]))
        where += f".{key}"
    old, how = parent[key], rng.integers(10)
    if how == 0 and parent is not words:
        del parent[key]
        return f"{where} is gone"
    if how == 1 and isinstance(parent, dict) and parent is not words:
        parent["\x1b]0;more"] = old
        return f"{where} once more under another name"
    if how < 5 and isinstance(old, int | float) and not isinstance(old, bool):
        parent[key] = [old + 1, old * 2, -old][how - 2]
    else:
        parent[key] = deepcopy(VALUES[rng.integers(len(VALUES))])
    return f"{where} is {ascii(parent[key])[:60]}"


def _change_array(arrays: Tensors, rng: np.random.Generator) -> str:
    name = str(rng.choice([*arrays]))
    values, number, how = arrays[name], NUMBERS[rng.integers(len(NUMBERS))], rng.integers(12)
    if how < 5:
        values[rng.integers(len(values))] = number
        return f"{name} holds {number:g}"
    if how < 8:
        values.fill(number)
        return f"{name} is full of {number:g}"
    if how == 8:
        arrays["more"] = arrays.pop(name)
    elif how == 9:
        arrays[name] = values.astype(rng.choice([np.float64, np.int32, np.float16]))
    elif how == 10:
        arrays[name] = values[:-1].copy()
    else:
        other = str(rng.choice([*arrays]))
        arrays[name] = arrays[other].copy()
        return f"{name} is {other}"
    return f"{name}: another name, type or length"


def resumed(request: Request, figures: Figures, epochs: int) -> str:
    """Trains on after so many epochs, and counts how that ends; returns what is wrong, in words."""
    try:
        with warnings.catch_warnings(action="error"):
            done = train_run(request, say=ignored)
    except (ModelFileError, ConfigError, DataError) as error:
        figures.refused += 1
        figures.unnamed += str(request.resume) not in str(error)
        return "" if str(request.resume) in str(error) else f"no name: {error}"
    except Exception as error:
        figures.tracebacks += 1
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"
    figures.diverged += done.ending == "diverged"
    figures.finished += done.ending == "finished"
    if odd := not_finite(done, epochs):
        figures.not_finite += 1
        return odd
    return ""


def not_finite(done: TrainedRun, epochs: int) -> str:
    """Names of results that are not finite; of the epochs, those after so many."""
    numbers = {"seconds": done.train_seconds}
    for epoch in done.history[epochs:]:
        numbers |= {f"{name} of epoch {epoch.epoch}": x for name, x in asdict(epoch).items()}
    odd = [name for name, number in numbers.items() if number is None or not isfinite(number)]
    arrays = [network.state for network in load_model(done.folder / MODEL).members]
    if done.ending == "finished":
        arrays += done.progress.arrays.values()
    if not all(np.isfinite(array).all() for array in arrays):
        odd.append("the weights")
    return f"not finite: {', '.join(odd)}" if odd else ""


def tamper(changes: int, seed: int) -> tuple[Figures, list[str]]:
    """(figures, what is wrong) of so many changed checkpoints."""
    figures, findings = Figures(), list[str]()
    with tempfile.TemporaryDirectory() as temporary:
        request, paths = base(Path(temporary).resolve())
        folder = request.resume
        assert folder
        whole = folder.with_name("whole")
        folder.rename(whole)
        for number in range(changes):
            rng = np.random.default_rng([seed, number])
            path = paths[rng.integers(len(paths))]
            arrays, texts = read_sealed(path, format=FORMAT)
            arrays = {name: values.copy() for name, values in arrays.items()}
            words = {name: json.loads(texts[name]) for name in WORDS}
            words[HISTORY] = json.loads(arrays.pop(HISTORY).tobytes())
            what = changed(arrays, words, rng)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(whole, folder)
            (folder / "checkpoints").mkdir()
            history = np.frombuffer(json.dumps(words.pop(HISTORY)).encode(), np.uint8)
            texts |= {name: json.dumps(value) for name, value in words.items()}
            with suppress(ModelFileError):
                write_sealed(folder / "checkpoints" / path.name, arrays | {HISTORY: history}, texts)
            if not list((folder / "checkpoints").iterdir()):
                figures.unwritten += 1
                continue
            if wrong := resumed(request, figures, int(path.stem[-9:]) // 5):
                findings.append(f"{number}, {path.stem}: {what}: {wrong}")
    return figures, findings


def rows(short: bool) -> Iterator[Row]:
    """Checkpoints with wrong values under right checksums, each resumed."""
    figures, _ = tamper(100 if short else 10_000, 0)
    total = figures.refused + figures.finished + figures.diverged + figures.failures()
    yield none_of(
        f"wrong values under right checksums, {figures.refused:,} refused, {figures.finished:,} "
        f"trained to the end, {figures.diverged:,} to a divergence: tracebacks, refusals without a "
        "name, results that are not finite", figures.failures(), f"{total:,}",
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the figures; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m stress.tamper", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    started = time.perf_counter()
    figures, findings = tamper(asked.changes, asked.seed)
    print(*findings, sep="\n", file=sys.stderr)
    seconds = round(time.perf_counter() - started)
    if asked.json:
        print(json.dumps(asdict(figures) | {"seconds": seconds}))
    else:
        for name, value in (asdict(figures) | {"seconds": seconds}).items():
            print(f"{value:6}  {name.replace('_', ' ')}")
    return 1 if figures.failures() else 0


if __name__ == "__main__":
    sys.exit(main())
