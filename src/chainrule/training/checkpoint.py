"""Checkpoints: a training run saved between two steps, and read back only if it is intact.

A checkpoint holds everything that the next steps depend on, and what must not have changed:
settings, data, the machine's arithmetic. Each is a separate file; none is ever overwritten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.core.errors import ModelFileError
from chainrule.core.files import make_folder, remove
from chainrule.core.tensor_file import read_sealed, write_sealed
from chainrule.training.state import NUMBERS, Progress

FORMAT = "chainrule-run-1"
NAME = re.compile(r"step-([0-9]{9,18})\.safetensors")
KINDS: dict[str, Any] = {"int": int, "float": int | float, "dict[str, Any]": dict}
HISTORY = "history"
"""Tensor of JSON, as it grows with every epoch; 0.1.0 has it in the header, which has a limit."""
KEPT = 3
"""Number of last checkpoints kept, besides that of the best epoch."""


@dataclass(frozen=True)
class Checkpoint:
    """State of a run between two steps."""

    progress: Progress
    history: list[dict[str, Any]]
    """The epochs so far."""
    settings: dict[str, Any]
    checksums: dict[str, str]
    """Of the data."""
    numerics: dict[str, str]
    """See `core.fingerprint`."""


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Saves the checkpoint in the folder, then removes those that are no longer kept.

    Raises OSError if it cannot be written; all older ones are then still there.
    """
    make_folder(folder)
    progress = checkpoint.progress
    words = {
        "format": FORMAT,
        "progress": json.dumps(progress.numbers()),
        "settings": json.dumps(checkpoint.settings),
        "checksums": json.dumps(checkpoint.checksums),
        "numerics": json.dumps(checkpoint.numerics),
    }
    path = folder / f"step-{progress.step:09d}.safetensors"
    history = np.frombuffer(json.dumps(checkpoint.history).encode(), np.uint8)
    write_sealed(path, progress.arrays | {HISTORY: history}, words)
    best = folder / f"step-{progress.best_step:09d}.safetensors"
    for old in _newest_first(folder)[KEPT:]:
        if old != best:
            remove(old)
    return path


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint file; ModelFileError if anything in it is wrong."""
    arrays, words = read_sealed(path, format=FORMAT)
    try:
        if HISTORY in arrays:
            words["history"] = arrays.pop(HISTORY).tobytes().decode()
        numbers, history, settings, checksums, numerics = (
            json.loads(words[name])
            for name in ("progress", "history", "settings", "checksums", "numerics")
        )
        numbers = {"objective": numbers["loss"]} | numbers  # in 0.1.0 the loss was the objective
        if set(numbers) != set(NUMBERS) or not isinstance(history, list):
            raise ValueError("its progress fields are not those of this version")
        kinds = {name: KINDS[kind] for name, kind in NUMBERS.items()}
        if odd := [name for name, kind in kinds.items() if not _is(numbers[name], kind)]:
            raise ValueError(f"{', '.join(odd)}: not of the type that this version writes")
        if not all(isinstance(epoch, dict) for epoch in history):
            raise ValueError("an epoch of its history is not a table")
        progress = Progress(**numbers, arrays=arrays)
        return Checkpoint(progress, history, dict(settings), dict(checksums), dict(numerics))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a valid checkpoint: {error}") from None


def _is(value: object, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def latest(folder: Path, *, report: Callable[[str], None]) -> Checkpoint | None:
    """The latest intact checkpoint in the folder; reports each damaged one it skips."""
    for path in _newest_first(folder):
        try:
            return read_checkpoint(path)
        except (ModelFileError, OSError) as error:
            report(f"skipped: {error}")
    return None


def _newest_first(folder: Path) -> list[Path]:
    """Checkpoint files by descending step: file times may be wrong."""
    if not folder.is_dir():
        return []
    found = {path: NAME.fullmatch(path.name) for path in folder.iterdir()}
    steps = {path: int(match[1]) for path, match in found.items() if match}
    return sorted(steps, key=lambda path: steps[path], reverse=True)
