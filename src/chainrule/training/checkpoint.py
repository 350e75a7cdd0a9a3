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

from chainrule.core.errors import DamagedFileError, ModelFileError
from chainrule.core.files import (
    make_folder,
    naming_what_is_read,
    naming_what_is_written,
    remove,
    set_aside,
)
from chainrule.core.json_text import to_json
from chainrule.core.tensor_file import Tensors, Words, read_sealed, write_sealed
from chainrule.training.checkpoint_values import PROGRESS, WEIGHT, check_texts, check_values
from chainrule.training.state import Progress

FORMAT = "chainrule-run-1"
NAME = re.compile(r"step-([0-9]{9,18})\.safetensors")
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
    path: Path | None = None
    """Its file, if it was read from one."""

    @property
    def name(self) -> str:
        """Name of its file, with the folder's."""
        return "/".join(self.path.parts[-2:]) if self.path else "the checkpoint"


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    """Saves the checkpoint in the folder, then removes those that are no longer kept.

    Raises OSError if it cannot be written, ModelFileError for what `read_checkpoint` would refuse;
    all older ones are then still there.
    """
    with naming_what_is_written(folder):
        return _write_checkpoint(folder, checkpoint)


def _write_checkpoint(folder: Path, checkpoint: Checkpoint) -> Path:
    progress = checkpoint.progress
    path = folder / f"step-{progress.step!s:0>9}.safetensors"
    try:
        words = {
            "progress": to_json(progress.numbers(), finite=False),
            "settings": to_json(checkpoint.settings, finite=False),
            "checksums": to_json(checkpoint.checksums),
            "numerics": to_json(checkpoint.numerics),
        }
        written = json.dumps(checkpoint.history)  # its values are checked below
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not written: {error}") from None
    _read(path, dict(progress.arrays), words | {HISTORY: written})
    history = np.frombuffer(written.encode(), np.uint8)
    make_folder(folder)
    write_sealed(path, progress.arrays | {HISTORY: history}, {"format": FORMAT} | words)
    best = folder / f"step-{progress.best_step:09d}.safetensors"
    for old in _newest_first(folder)[KEPT:]:
        if old != best:
            remove(old)
    return path


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint file; ModelFileError if anything in it is wrong.

    DamagedFileError if it is not whole, NewerFormatError if a later version wrote it.
    """
    arrays, words = read_sealed(path, format=FORMAT)
    with naming_what_is_read(path):
        return _read(path, arrays, words)


def _read(path: Path, arrays: Tensors, words: Words) -> Checkpoint:
    """The checkpoint of these arrays and words; ModelFileError, naming the rule they break."""
    try:
        if HISTORY in arrays:
            words["history"] = arrays.pop(HISTORY).tobytes().decode()
        numbers, history, settings, checksums, numerics = (
            json.loads(words[name])
            for name in ("progress", "history", "settings", "checksums", "numerics")
        )
        numbers = {"objective": numbers["loss"]} | numbers  # in 0.1.0 the loss was the objective
        if not isinstance(history, list):
            raise ValueError("its history is not a list")
        check_values(numbers, history, arrays)
        match = NAME.fullmatch(path.name)
        if match and int(match[1]) != numbers["step"]:
            raise ValueError(f"it is of step {numbers['step']:,}, and its name of another")
        check_texts("settings", settings, values=False)
        check_texts("checksums", checksums, values=True)
        check_texts("numerics", numerics, values=True)
        for name, rule in PROGRESS.items():
            if rule is not WEIGHT:  # which may be whole or not
                numbers[name] = rule.kind(numbers[name])
        progress = Progress(**numbers, arrays=arrays)
        return Checkpoint(progress, history, settings, checksums, numerics, path)
    except KeyError as error:
        raise ModelFileError(f"{path}: not a valid checkpoint: it has no {error}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a valid checkpoint: {error}") from None


def latest(folder: Path, *, report: Callable[[str], None]) -> Checkpoint | None:
    """The latest whole checkpoint in the folder. Damaged ones are reported and set aside.

    Each keeps its content, under a name that is neither read nor counted nor removed. Raises
    ModelFileError for one that is whole and yet cannot be used, NewerFormatError if a later version
    wrote it, OSError for one that cannot be read: then nothing in the folder was touched.
    """
    if folder.is_symlink():
        raise ModelFileError(
            f"{folder}: a link to another folder, whose files would be removed; put the folder "
            "itself there"
        )
    newest: Checkpoint | None = None
    damaged: dict[Path, DamagedFileError] = {}
    for path in _newest_first(folder):
        try:
            checkpoint = read_checkpoint(path)
        except DamagedFileError as error:
            damaged[path] = error
        except ModelFileError as error:
            raise type(error)(
                f"{error}; nothing was changed: without this file the checkpoint before it is used"
            ) from None
        else:
            newest = newest or checkpoint
    for path, damage in damaged.items():
        report(f"skipped: {damage}; kept as {set_aside(path).name}")
    return newest


def _newest_first(folder: Path) -> list[Path]:
    """Checkpoint files by descending step: file times may be wrong."""
    if not folder.is_dir():
        return []
    found = {path: NAME.fullmatch(path.name) for path in folder.iterdir()}
    steps = {path: int(match[1]) for path, match in found.items() if match}
    return sorted(steps, key=lambda path: steps[path], reverse=True)
